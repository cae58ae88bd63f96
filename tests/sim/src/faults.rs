/// What may go wrong, in percent of the chances. Drawn per seed, so that some runs are calm and some are wild.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub(crate) commit_aborts: u64,
    pub(crate) reply_lost: u64,
    pub(crate) crash: u64,
    pub(crate) evict: u64,
    pub(crate) leave: u64,
}

/// What a run met: a run without faults proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Met {
    pub events: u64,
    pub alerts_of_level: [u64; 3],
    pub commits: u64,
    pub aborted: u64,
    pub in_doubt: u64,
    pub fenced: u64,
    pub crashes: u64,
    pub evictions: u64,
    pub assigned: u64,
    pub revoked: u64,
    pub lost: u64,
}

impl Met {
    /// Adds what another run met.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        for (known, more) in self.alerts_of_level.iter_mut().zip(other.alerts_of_level) {
            *known += more;
        }
        self.commits += other.commits;
        self.aborted += other.aborted;
        self.in_doubt += other.in_doubt;
        self.fenced += other.fenced;
        self.crashes += other.crashes;
        self.evictions += other.evictions;
        self.assigned += other.assigned;
        self.revoked += other.revoked;
        self.lost += other.lost;
    }
}
