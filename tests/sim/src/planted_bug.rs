/// A bug planted on purpose, which the simulation must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// Outputs are visible before the commit is decided.
    EmitBeforeCommit,
    /// State changes are not in the changelog.
    NoChangelog,
    /// The watermarks are not in the changelog.
    WatermarksNotInChangelog,
    /// A zombie's outputs become visible although it may not commit.
    FencingIgnored,
    /// Outputs are committed without the positions they stem from.
    PositionsNotCommitted,
    /// Now and then a record is skipped.
    PositionSkipsARecord,
    /// Ticks promise more than has arrived.
    TicksRunAhead,
    /// No state is ever woken by time.
    TimersForgotten,
    /// Facts of alerts are visible before the commit is decided.
    DerivedFactsOutsideTheTransaction,
    /// That a level is done is told before its facts are committed.
    LevelsToldBeforeTheirFacts,
    /// That a level is done is told to nobody.
    LevelsNotTold,
}

impl PlantedBug {
    /// Every planted bug.
    pub const ALL: [Self; 11] = [
        Self::EmitBeforeCommit,
        Self::NoChangelog,
        Self::WatermarksNotInChangelog,
        Self::FencingIgnored,
        Self::PositionsNotCommitted,
        Self::PositionSkipsARecord,
        Self::TicksRunAhead,
        Self::TimersForgotten,
        Self::DerivedFactsOutsideTheTransaction,
        Self::LevelsToldBeforeTheirFacts,
        Self::LevelsNotTold,
    ];
}
