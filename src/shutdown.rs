//! Being asked to stop: the first signal stops in order, the second at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// What asks a daemon to stop: the signals of a process of its own, or the word of the program that it is part of.
#[derive(Debug)]
pub struct Shutdown(Means);

#[derive(Debug)]
enum Means {
    Signals {
        interrupt: Signal,
        terminate: Signal,
        /// Heard so that it does not end the process: a file that may not grow further is a full disk.
        _file_size: Signal,
    },
    /// None once it was given.
    Word(Option<oneshot::Receiver<()>>),
}

/// Asks a daemon to stop when it is dropped.
#[derive(Debug)]
pub struct Word(#[expect(dead_code, reason = "that it is dropped is the word")] oneshot::Sender<()>);

impl Shutdown {
    /// Starts listening; from here on the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn listen() -> io::Result<Self> {
        let file_size = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        Ok(Self(Means::Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _file_size: signal(file_size)?,
        }))
    }

    /// What stops in order once the word is dropped, and knows no signals.
    pub fn by_word() -> (Word, Self) {
        let (word, heard) = oneshot::channel();
        (Word(word), Self(Means::Word(Some(heard))))
    }

    /// Returns when it is asked for the next time. A word is given once.
    pub async fn asked(&mut self) {
        match &mut self.0 {
            Means::Signals { interrupt, terminate, .. } => tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            },
            Means::Word(heard) => {
                let Some(word) = heard else { return std::future::pending().await };
                // Nothing is ever sent: the other end goes.
                drop(word.await);
                *heard = None;
            }
        }
    }
}
