# The commands of tests/run, one at a time. `just` is a convenience; nothing needs it.

# Format, lints, documentation.
check:
    cargo fmt --check
    cargo clippy --locked --all-targets --quiet -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

# Every test, or those whose name contains NAME.
test NAME='':
    cargo test --locked --no-fail-fast {{NAME}} -- --test-threads=2

# One walk of SQLite and the reference store in step, by its seed; or many.
differ SEED:
    JEMBATAN_WALK={{SEED}} cargo test --locked --lib differential:: -- --nocapture
differ-many N:
    JEMBATAN_WALKS={{N}} cargo test --locked --lib differential:: -- --test-threads=2

# Any command of the program: just run vault list
run *ARGS:
    cargo run --locked -- {{ARGS}}

# One day of a puskesmas; ends by itself.
demo:
    cargo run --locked --quiet -- demo --exit

# What CI runs.
all:
    bash tests/run
