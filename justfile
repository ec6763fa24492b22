# The commands of tests/run, one at a time. `just` is a convenience; nothing needs it.

# Format, lints, documentation.
check:
    cargo fmt --check
    cargo clippy --locked --all-targets --features failpoints --quiet -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

# Every test, or those whose name contains NAME.
test NAME='':
    cargo test --locked --features failpoints --no-fail-fast {{NAME}} -- --test-threads=2

# SIGKILL at random as often as KILLS, on LANES bridges side by side.
kill KILLS='1000' LANES='2':
    JEMBATAN_KILLS={{KILLS}} JEMBATAN_KILL_LANES={{LANES}} cargo test --locked --features failpoints --test it killed_as_often -- --nocapture

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

# One seed of the simulation, with its options and what it reached (JEMBATAN_STORE=sqlite|reference, JEMBATAN_SIZE=short|long).
simulate SEED:
    JEMBATAN_SEED={{SEED}} cargo test --locked --features failpoints --lib simulation::tests::one_seed -- --exact --nocapture

# N seeds of the simulation from JEMBATAN_FROM on (JEMBATAN_STORE=both, too); goes on after a broken promise and lists them at the end.
simulate-many N:
    JEMBATAN_SEEDS={{N}} CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0 cargo test --locked --features failpoints --lib simulation::tests::many_seeds -- --exact --nocapture

# Breaks the program on purpose and demands that the simulation notices; NAME as in tests/breaks, or all.
break NAME='':
    tests/break {{NAME}}
