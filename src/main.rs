//! The `jembatan` binary: parse, run, map the error to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    jembatan::cli::root::main(std::env::args_os())
}
