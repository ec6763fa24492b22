# The commands of tests/run, one at a time. `just` is a convenience; nothing needs it.

# Format, lints, documentation.
check:
    cargo fmt --check
    cargo clippy --locked --all-targets --quiet -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

# Every test, or those whose name contains NAME.
test NAME='':
    cargo test --locked --no-fail-fast {{NAME}} -- --test-threads=2

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
    JEMBATAN_SEED={{SEED}} cargo test --locked --lib simulation::tests::one_seed -- --exact --nocapture

# N seeds of the simulation (JEMBATAN_FROM is the first); goes on after a broken promise and lists them at the end.
simulate-many N:
    JEMBATAN_SEEDS={{N}} cargo test --release --locked --lib simulation::tests::many_seeds -- --exact --nocapture

# Breaks the program on purpose and demands that the simulation notices; NAME as in tests/breaks, or all.
break NAME='':
    tests/break {{NAME}}
