//! What is done to the machine, and when it ends.

use dunlin::engine::ask::Ask;

use crate::disk::Loss;
use crate::machine::LOOK_MS;
use crate::plan::Blow;
use crate::world::{Happening, World};

impl World {
    pub(crate) fn blow(&mut self, blow: Blow) {
        if self.is_calm {
            return;
        }
        self.say(|| format!("-- {blow:?}"));
        match blow {
            Blow::PowerLoss(after) => self.disk.die_after(after),
            Blow::Kill if self.process.is_some() => {
                self.kill();
                self.die("killed");
            }
            Blow::Restart if self.process.is_some() => {
                self.ask(Ask::Drain);
                let patience = self.rng.u64(0..20_000);
                self.after(patience, Happening::Stop);
            }
            Blow::Kill | Blow::Restart => {}
            Blow::SyncFails | Blow::DiskFull => {
                self.may_fail = true;
                if blow == Blow::DiskFull { self.disk.fill() } else { self.disk.fail_next_sync() }
            }
            Blow::Freeze(ms) => {
                self.frozen_until = self.frozen_until.max(self.now() + ms);
                self.quiet_since = self.frozen_until;
            }
            Blow::Jump(ms) => {
                self.time.jump(ms);
                self.quiet_since = self.quiet_since.max(self.now());
                let noticed = self.now() + self.rng.u64(0..LOOK_MS);
                self.tick_at = self.tick_at.map(|tick| tick.min(noticed));
            }
        }
    }

    pub(crate) fn stop(&mut self) {
        if self.process.is_some() && !self.disk.is_off() && !self.is_frozen() {
            self.say(|| "-- the engine stops".into());
            self.drop_process();
            // The power may have gone while the file was closed.
            if !self.disk.is_off() {
                self.loss = Loss::Nothing;
            }
            self.after(50, Happening::Start);
        }
    }

    /// The process can't do anything any more, not even close its file; the page cache survives, unless
    /// the power went before.
    fn kill(&mut self) {
        if !self.disk.is_off() {
            self.loss = Loss::Nothing;
            self.disk.switch_off();
        }
    }

    /// Faults end, the clock is set right, and the engine is started again with the last rules.
    pub(crate) fn calm(&mut self) {
        self.say(|| "-- calm".into());
        self.is_calm = true;
        self.frozen_until = 0;
        self.time.jump(-self.time.off_ms());
        if self.process.is_some() {
            self.kill();
            self.drop_process();
        }
        self.after(50, Happening::Start);
        if self.plan.people_decide {
            self.after(3_600_000, Happening::Look);
        }
    }
}
