//! The killer: SIGKILL at moments drawn from the seed, and a restart at once.

use std::thread::sleep;
use std::time::Duration;

use crate::daemon::Daemon;

/// Kills the daemon `kills` times and leaves it running and listening.
pub(crate) fn run(daemon: &mut Daemon, kills: u32, mut random: fastrand::Rng) -> anyhow::Result<()> {
    for _ in 0..kills {
        // One in five dies while it starts, even while it creates its store.
        let life = if random.u8(..5) == 0 { random.u64(..120) } else { random.u64(300..1_600) };
        sleep(Duration::from_millis(life));
        daemon.kill()?;
        daemon.start()?;
    }
    daemon.listening()
}
