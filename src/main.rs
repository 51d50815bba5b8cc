//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    udpecho::cli::main(std::env::args_os())
}
