use super::{Lint, Subject};
use crate::error::Fault;

pub(super) struct DoubtfulQuery;

impl Lint for DoubtfulQuery {
    fn name(&self) -> &'static str {
        super::DOUBTFUL_QUERY
    }

    fn about(&self) -> &'static str {
        "words that mean something else in other languages, such as `%` in a `like`, and here stand for themselves; in a \
         Sigma document, what is legal and probably not meant"
    }

    fn look(&self, subject: &Subject) -> Vec<Fault> {
        subject.places.doubts.clone()
    }
}
