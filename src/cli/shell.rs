//! `completions` and `man`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Done;
use super::args::Args;

/// The completions for a shell.
pub fn completions(shell: Shell) -> Done {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "hacs-refinery", &mut out);
    Done::success(String::from_utf8_lossy(&out).into_owned())
}

/// The manual page, in roff.
pub fn man() -> Done {
    let mut out = Vec::new();
    // Into memory, which takes everything.
    let _ = clap_mangen::Man::new(Args::command()).render(&mut out);
    Done::success(String::from_utf8_lossy(&out).into_owned())
}
