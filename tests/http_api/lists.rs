//! Lists: pages and filters.

use serde_json::json;

use crate::house::House;
use crate::wish;

/// Pages must cover everything once, also when messages arrive between them.
#[tokio::test]
async fn pages_cover_everything_once_while_messages_arrive() {
    let house = House::build(None);
    let mut expected = Vec::new();
    for n in 0..25 {
        let (_, _, body) = house.post("/v1/messages", &[], &wish(&format!("+1555123{n:04}"))).await;
        expected.push(body["id"].clone());
    }
    let (mut path, mut seen) = ("/v1/messages?limit=4".to_owned(), Vec::new());
    loop {
        let (_, _, page) = house.get(&path).await;
        seen.extend(page["data"].as_array().unwrap().iter().map(|message| message["id"].clone()));
        house.post("/v1/messages", &[], &wish("+15559999999")).await;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/messages?limit=4&cursor={cursor}"),
            None => break,
        }
    }
    seen.reverse();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn values_of_a_filter_add_up_and_filters_narrow_each_other_down() {
    let house = House::build(None);
    let mut ids = Vec::new();
    for (n, priority) in ["low", "high", "normal", "high"].into_iter().enumerate() {
        let mut wish = wish(&format!("+1555123000{n}"));
        wish["priority"] = json!(priority);
        wish["user_id"] = json!(format!("user-{}", n % 2));
        let (_, _, body) = house.post("/v1/messages", &[], &wish).await;
        ids.push(body["id"].as_str().unwrap().to_owned());
    }
    house.post(&format!("/v1/messages/{}/cancel", ids[1]), &[], &json!({})).await;
    for (query, expected) in [
        ("state=held", vec![3, 2, 0]),
        ("status=cancelled", vec![1]),
        ("status=cancelled&status=scheduled", vec![3, 2, 1, 0]),
        ("state=canceled&status=scheduled", vec![]),
        ("state=due&status=scheduled", vec![]),
        ("priority=high&state=held", vec![3]),
        ("user_id=user-1", vec![3, 1]),
        ("user_id=user-1&limit=1", vec![3]),
        ("to=%2B15551230002", vec![2]),
        ("to=%2B15551230002&user_id=user-1", vec![]),
    ] {
        let (_, _, page) = house.get(&format!("/v1/messages?{query}")).await;
        let found = page["data"].as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap());
        let expected: Vec<&str> = expected.into_iter().map(|n: usize| ids[n].as_str()).collect();
        assert_eq!(found.collect::<Vec<_>>(), expected, "{query}");
    }
}

/// A filter that the store has no index for still fills its pages.
#[tokio::test]
async fn a_rare_match_is_found_behind_many_others() {
    let house = House::build(None);
    let mut rare = wish("+15551239999");
    rare["user_id"] = json!("rare");
    house.post("/v1/messages", &[], &rare).await;
    let others = json!({"messages": (0..300).map(|n| wish(&format!("+1555123{n:04}"))).collect::<Vec<_>>()});
    house.post("/v1/messages/batch", &[], &others).await;
    let (_, _, page) = house.get("/v1/messages?user_id=rare&limit=2").await;
    assert_eq!((&page["data"][0]["to"], &page["has_more"]), (&json!("+15551239999"), &json!(false)));
}
