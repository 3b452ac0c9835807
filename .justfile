# Every recipe is one command that can be typed by hand as well.

# List the recipes
_list:
    @{{just_executable()}} --list --unsorted --justfile {{justfile()}}

# Everything that must hold before a change is merged
check:
    ./test

# The tests whose name contains NAME, or all of them
test NAME="":
    cargo nextest run --workspace {{NAME}}

# The house rules: edges, sizes, names, words
tidy:
    cargo nextest run --test tidy

# Format the sources
fmt:
    cargo fmt --all

# Lints, as strict as a merge
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Open the documentation, private parts included
doc:
    cargo doc --workspace --no-deps --document-private-items --open

# Run the tests and take over every snapshot that changed; read the difference before committing
snap:
    INSTA_UPDATE=always cargo nextest run --workspace --no-fail-fast
    git diff --stat -- '*.snap'

# Kill the daemon KILLS times under load and judge what is left
crash KILLS="22" MESSAGES="2000":
    DUNLIN_CRASH_KILLS={{KILLS}} DUNLIN_CRASH_MESSAGES={{MESSAGES}} cargo nextest run --release --test crash --no-capture

# Live through the world of one SEED and tell every line of it
sim SEED:
    DUNLIN_SIM_SEED={{SEED}} cargo nextest run --test simulation --no-capture promises_hold

# Live through N worlds, from seed FIRST on
sims N="2000" FIRST="0":
    DUNLIN_SIM_SEEDS={{N}} DUNLIN_SIM_FIRST={{FIRST}} cargo test --test simulation -- --nocapture promises_hold

# Feed hostile input to TARGET (a folder of fuzz/corpus) for SECONDS; wants cargo-fuzz. What it finds is in fuzz/found
fuzz TARGET SECONDS="60":
    mkdir -p fuzz/found/{{TARGET}}
    cargo +stable fuzz run --sanitizer none {{TARGET}} fuzz/found/{{TARGET}} fuzz/corpus/{{TARGET}} -- \
        -max_total_time={{SECONDS}} -max_len=4096 -use_value_profile=1 -rss_limit_mb=1024 \
        $(test ! -f fuzz/dictionaries/{{TARGET}}.dict || printf %s -dict=fuzz/dictionaries/{{TARGET}}.dict)

# Measure commits and turns in-process
bench *ARGS:
    cargo bench {{ARGS}}

# See a few hundred texts survive a crash
demo:
    cargo run --release -- demo

# Run the program with ARGS, for instance: just run serve
run *ARGS:
    cargo run --release -- {{ARGS}}

# Fold a store's journal again
replay *ARGS:
    cargo run --release -- replay {{ARGS}}

# Check that a store is what its journal says
verify *ARGS:
    cargo run --release -- verify {{ARGS}}

# Licenses, sources and known vulnerabilities of what we depend on; wants cargo-deny
deny:
    cargo deny check
