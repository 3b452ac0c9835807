//! The tables of the contract, column by column, and who owns each column.
//!
//! A conflict ends here and not at a clock: what people own is what they last wrote, what the engine owns is what
//! the engine last pushed. The database enforces it (`dunlin.guard_message`), and the tests compare this table
//! with a migrated database.

/// Who decides what stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// People and their web app; the engine reads it.
    People,
    /// The engine; what others write there is put back and kept as a conflict.
    Engine,
    /// Both: an opt-out of either side wins, and the engine undoes one.
    Both,
    /// The database itself.
    Database,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Whose it is.
    pub owner: Owner,
}

/// One table of the schema `public`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, those that only an older form has left out.
    pub columns: &'static [Column],
}

const fn people(name: &'static str) -> Column {
    Column { name, owner: Owner::People }
}

const fn engine(name: &'static str) -> Column {
    Column { name, owner: Owner::Engine }
}

const fn both(name: &'static str) -> Column {
    Column { name, owner: Owner::Both }
}

const fn database(name: &'static str) -> Column {
    Column { name, owner: Owner::Database }
}

/// Every table.
pub const TABLES: [Table; 5] = [
    Table {
        name: "sms_templates",
        columns: &[
            database("id"),
            people("template_key"),
            people("name"),
            people("description"),
            people("message_template"),
            people("template_vars"),
            people("required_vars"),
            people("max_length"),
            people("is_active"),
            engine("usage_count"),
            engine("last_used_at"),
            people("created_by"),
            database("created_at"),
            database("updated_at"),
        ],
    },
    Table {
        name: "queue_jobs",
        columns: &[
            database("id"),
            people("queue_job_id"),
            people("user_id"),
            people("job_type"),
            engine("status"),
            people("metadata"),
            people("priority"),
            engine("attempts"),
            people("max_attempts"),
            both("scheduled_for"),
            database("created_at"),
            database("updated_at"),
            engine("started_at"),
            engine("completed_at"),
            engine("processed_at"),
            engine("error_message"),
            engine("result"),
            people("dedup_key"),
            engine("processing_token"),
        ],
    },
    Table {
        name: "sms_messages",
        columns: &[
            database("id"),
            people("user_id"),
            people("phone_number"),
            people("message_content"),
            people("template_id"),
            people("template_vars"),
            engine("status"),
            people("priority"),
            both("scheduled_for"),
            engine("sent_at"),
            engine("delivered_at"),
            engine("twilio_sid"),
            engine("twilio_status"),
            engine("twilio_error_code"),
            engine("twilio_error_message"),
            engine("attempt_count"),
            people("max_attempts"),
            engine("next_retry_at"),
            people("queue_job_id"),
            people("metadata"),
            database("created_at"),
            database("updated_at"),
            engine("idempotency_key"),
            people("cancel_requested_at"),
            engine("status_reason"),
            engine("engine_state"),
            engine("engine_id"),
            engine("engine_version"),
        ],
    },
    Table {
        name: "user_sms_preferences",
        columns: &[
            database("id"),
            people("user_id"),
            people("phone_number"),
            engine("phone_verified"),
            engine("phone_verified_at"),
            people("task_reminders"),
            people("daily_brief_sms"),
            people("event_reminders_enabled"),
            people("event_reminder_lead_time_minutes"),
            people("morning_kickoff_enabled"),
            people("morning_kickoff_time"),
            people("evening_recap_enabled"),
            people("urgent_alerts"),
            people("quiet_hours_start"),
            people("quiet_hours_end"),
            people("timezone"),
            people("daily_sms_limit"),
            engine("daily_sms_count"),
            engine("daily_count_reset_at"),
            both("opted_out"),
            both("opted_out_at"),
            both("opt_out_reason"),
            database("created_at"),
            database("updated_at"),
        ],
    },
    Table {
        name: "sms_metrics",
        columns: &[
            database("id"),
            people("metric_date"),
            people("metric_hour"),
            people("user_id"),
            people("metric_type"),
            people("metric_value"),
            people("metadata"),
            database("created_at"),
            database("updated_at"),
        ],
    },
];

/// Types of words with the words that they must have.
pub const WORDS: [(&str, &[&str]); 4] = [
    (
        "sms_status",
        &[
            "pending",
            "queued",
            "sending",
            "sent",
            "delivered",
            "failed",
            "undelivered",
            "scheduled",
            "cancelled",
        ],
    ),
    ("sms_priority", &["low", "normal", "high", "urgent"]),
    ("queue_status", &["pending", "processing", "completed", "failed", "cancelled", "retrying"]),
    ("queue_type", &["send_sms"]),
];

/// Functions of the schema `public` that take the place of what has their name.
pub const FUNCTIONS: [&str; 6] = [
    "add_queue_job",
    "queue_sms_message",
    "record_sms_metric",
    "get_sms_daily_metrics",
    "get_user_sms_metrics",
    "get_sms_notification_stats",
];
