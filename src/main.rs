//! The `kpki` program: parse, run, exit code. Everything else is in the library.

fn main() -> std::process::ExitCode {
    kpki::cli::main()
}
