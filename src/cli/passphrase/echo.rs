//! Gives the terminal its echo back when a command is ended by a signal at a prompt, which reads without echo.

use std::{
    io::{self, Read},
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    flag,
    low_level::{emulate_default_handler, pipe},
};

use crate::state;

/// What ends a command. Ctrl-C is one of them: at a prompt it is a character, for which `rpassword` raises the signal.
const SIGNALS: [(i32, usize); 4] = [
    (SIGINT, SIGINT as usize),
    (SIGTERM, SIGTERM as usize),
    (SIGQUIT, SIGQUIT as usize),
    (SIGHUP, SIGHUP as usize),
];

/// The signal that came; 0 while there was none.
static CAME: AtomicUsize = AtomicUsize::new(0);

static WATCH: Mutex<Watch> = Mutex::new(Watch {
    started: false,
    before: None,
});

struct Watch {
    /// A signal's own handling cannot be put back, so the watch goes on after the prompt.
    started: bool,
    /// How the terminal was before the prompt that waits for an answer.
    before: Option<Termios>,
}

/// Asks something without echo. A signal that ends the command meanwhile still does, with the terminal as it was.
pub fn without<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = tcgetattr(terminal()?)?;
    {
        let mut watch = watch();
        if !watch.started {
            start()?;
            watch.started = true;
        }
        watch.before = Some(before);
    }
    let answer = ask();
    // After Ctrl-C there is no answer, and perhaps the other thread has not noticed yet.
    end_if_told();
    watch().before = None;
    answer
}

fn terminal() -> io::Result<impl Read + std::os::fd::AsFd> {
    state::open(Path::new(super::TERMINAL))
}

fn watch() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a signal in a thread: the other one waits for the answer, and a handler itself may do next to nothing.
fn start() -> io::Result<()> {
    let (mut told, tell) = io::pipe()?;
    for (signal, number) in SIGNALS {
        flag::register_usize(signal, &CAME, number)?;
        pipe::register(signal, tell.try_clone()?)?;
    }
    thread::Builder::new().spawn(move || {
        while told.read_exact(&mut [0]).is_ok() {
            end_if_told();
        }
    })?;
    Ok(())
}

/// Ends the command as the signal would have, if one came.
fn end_if_told() {
    let came = CAME.load(Ordering::SeqCst);
    let Some((signal, _)) = SIGNALS.iter().find(|(_, number)| *number == came) else {
        return;
    };
    if let (Some(before), Ok(terminal)) = (&watch().before, terminal()) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(terminal, OptionalActions::Now, before);
    }
    // It only fails for a signal that it does not know.
    let _ = emulate_default_handler(*signal);
}
