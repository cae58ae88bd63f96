//! The engines, each asked for the titles of the rules that an event meets.

use detection::{Matched, Matcher};
use event::{Source, SourcePartition, SourceTopic, Timestamp};
use rsigma_eval::{Engine, JsonEvent};

/// Our first stage.
pub struct Ours {
    matcher: Matcher,
    /// What came of the events so far.
    pub matched: Matched,
    offset: u64,
}

impl Ours {
    /// These rule files.
    ///
    /// # Panics
    /// If one is refused.
    pub fn new(files: Vec<(String, String)>) -> Self {
        let loaded = ruleset::load(files).unwrap_or_else(|errors| panic!("{errors:?}"));
        Self {
            matcher: Matcher::new(&loaded.rule_set),
            matched: Matched::default(),
            offset: 0,
        }
    }

    /// From bytes to facts and alerts.
    ///
    /// # Panics
    /// If it is no canonical event.
    pub fn evaluate(&mut self, record: &[u8]) {
        self.offset += 1;
        let partition = SourcePartition {
            topic: SourceTopic::Security,
            partition: 0,
        };
        let source = Source {
            partition,
            offset: self.offset,
        };
        let read = self.matcher.evaluate(record, source, Timestamp::MAX, &mut self.matched);
        read.expect("a canonical event");
    }

    /// The titles of the stateless rules that the event meets, sorted.
    pub fn verdict(&mut self, record: &[u8]) -> Vec<String> {
        self.matched = Matched::default();
        self.evaluate(record);
        let alerts = std::mem::take(&mut self.matched).alerts;
        let mut titles: Vec<String> = alerts.into_iter().map(|alert| alert.title).collect();
        titles.sort();
        titles
    }
}

/// `rsigma-eval`, with its defaults.
pub struct Rsigma {
    engine: Engine,
}

impl Rsigma {
    /// These Sigma rules.
    ///
    /// # Panics
    /// If one is refused.
    pub fn new(rules: &[String]) -> Self {
        let collection = rsigma_parser::parse_sigma_yaml(&rules.join("---\n")).expect("they are Sigma");
        let mut engine = Engine::new();
        engine.add_collection(&collection).expect("it knows them");
        assert_eq!(engine.rule_count(), rules.len());
        Self { engine }
    }

    /// How many rules the event meets.
    pub fn evaluate(&self, event: &serde_json::Value) -> usize {
        self.engine.evaluate(&JsonEvent::borrow(event)).len()
    }

    /// The titles of the rules that the event meets, sorted.
    ///
    /// # Panics
    /// If it is no JSON.
    pub fn verdict(&self, record: &[u8]) -> Vec<String> {
        let event = serde_json::from_slice(record).expect("it is JSON");
        let met = self.engine.evaluate(&JsonEvent::borrow(&event));
        let mut titles: Vec<String> = met.into_iter().map(|result| result.header.rule_title).collect();
        titles.sort();
        titles
    }
}
