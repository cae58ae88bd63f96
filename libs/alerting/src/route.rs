use std::sync::Arc;

use event::{Alert, AlertStatus, Severity};

use crate::Channel;
use crate::outbox::Pace;

/// Who is told about which alerts, and over which channel.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name in settings, metrics and the ledger. Renaming a route makes it a new one.
    pub name: Arc<str>,
    /// How they are told.
    pub channel: &'static dyn Channel,
    /// The severities it takes.
    pub severities: Vec<Severity>,
    /// What it tells of an alert.
    pub statuses: Vec<AlertStatus>,
    /// The route that is told instead when this one cannot be; it then takes any severity and status.
    pub fallback: Option<Arc<str>>,
    /// How fast the destination takes messages.
    pub pace: Option<Pace>,
}

/// Why routes cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteProblem {
    /// Alerts would reach nobody.
    #[error("there is no route: alerts would reach nobody")]
    None,
    /// Two routes have one name.
    #[error("two routes are named `{0}`")]
    Twice(Arc<str>),
    /// A route takes no severity or no status.
    #[error("route `{0}` takes nothing: name a severity and a status")]
    Idle(Arc<str>),
    /// The fallback does not exist.
    #[error("the fallback of route `{route}` is `{fallback}`, which is no route")]
    Unknown {
        /// The route.
        route: Arc<str>,
        /// What it names.
        fallback: Arc<str>,
    },
    /// Following the fallbacks leads back.
    #[error("the fallbacks of route `{0}` go in a circle")]
    Circle(Arc<str>),
}

impl Route {
    /// A route with what its channel takes by default.
    pub fn new(name: &str, channel: &'static dyn Channel) -> Self {
        Self {
            name: name.into(),
            channel,
            severities: channel.severities().to_vec(),
            statuses: channel.statuses().to_vec(),
            fallback: None,
            pace: channel.pace(),
        }
    }

    /// Whether it is told of this record of an alert.
    pub fn takes(&self, alert: &Alert) -> bool {
        self.severities.contains(&alert.severity) && self.statuses.contains(&alert.status)
    }
}

/// Routes that fit together; each is known by its index.
#[derive(Clone, Debug)]
pub struct Routes {
    routes: Vec<Route>,
    fallbacks: Vec<Option<usize>>,
}

impl Routes {
    /// Checks that the routes fit together.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(routes: Vec<Route>) -> Result<Self, Vec<RouteProblem>> {
        let mut problems = Vec::new();
        if routes.is_empty() {
            problems.push(RouteProblem::None);
        }
        let index_of = |name: &str| routes.iter().position(|route| *route.name == *name);
        let mut fallbacks = Vec::with_capacity(routes.len());
        for (index, route) in routes.iter().enumerate() {
            if index_of(&route.name) != Some(index) {
                problems.push(RouteProblem::Twice(route.name.clone()));
            }
            if route.severities.is_empty() || route.statuses.is_empty() {
                problems.push(RouteProblem::Idle(route.name.clone()));
            }
            let fallback = route.fallback.as_ref().map(|name| (name, index_of(name)));
            if let Some((name, None)) = fallback {
                problems.push(RouteProblem::Unknown {
                    route: route.name.clone(),
                    fallback: name.clone(),
                });
            }
            fallbacks.push(fallback.and_then(|(_, index)| index));
        }
        let circles = (0..routes.len()).filter(|start| returns(&fallbacks, *start));
        problems.extend(circles.map(|index| RouteProblem::Circle(routes[index].name.clone())));
        if problems.is_empty() {
            Ok(Self { routes, fallbacks })
        } else {
            Err(problems)
        }
    }

    /// All of them, in the order of the settings.
    pub fn all(&self) -> &[Route] {
        &self.routes
    }

    /// The indexes of the routes that take this record of an alert.
    pub fn for_alert(&self, alert: &Alert) -> impl Iterator<Item = usize> {
        self.routes
            .iter()
            .enumerate()
            .filter(|(_, route)| route.takes(alert))
            .map(|(index, _)| index)
    }

    /// The index of the route that is told when `route` cannot be.
    pub fn fallback(&self, route: usize) -> Option<usize> {
        self.fallbacks[route]
    }
}

/// Whether following the fallbacks from `start` comes back to it.
fn returns(fallbacks: &[Option<usize>], start: usize) -> bool {
    let chain = std::iter::successors(fallbacks[start], |route| fallbacks[*route]);
    chain.take(fallbacks.len()).any(|route| route == start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel;

    fn route(name: &str, kind: &str, fallback: Option<&str>) -> Route {
        let channel = channel(kind).expect("a channel of that name");
        Route {
            fallback: fallback.map(Into::into),
            ..Route::new(name, channel)
        }
    }

    #[test]
    fn the_severities_of_the_guide_are_the_default() {
        let taken = |kind| route("r", kind, None).severities;
        assert_eq!(taken("slack"), [Severity::High, Severity::Critical]);
        assert_eq!(taken("pagerduty"), [Severity::Critical]);
        assert_eq!(taken("webhook"), Severity::ALL);
        assert_eq!(taken("log"), Severity::ALL);
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        assert_eq!(Routes::new(Vec::new()).err(), Some(vec![RouteProblem::None]));
        let idle = Route {
            severities: Vec::new(),
            ..route("c", "log", None)
        };
        let wrong = vec![
            route("a", "slack", Some("b")),
            route("b", "slack", Some("a")),
            idle,
            route("c", "log", Some("d")),
        ];
        let named = |name: &str| -> Arc<str> { name.into() };
        let expected = vec![
            RouteProblem::Idle(named("c")),
            RouteProblem::Twice(named("c")),
            RouteProblem::Unknown {
                route: named("c"),
                fallback: named("d"),
            },
            RouteProblem::Circle(named("a")),
            RouteProblem::Circle(named("b")),
        ];
        assert_eq!(Routes::new(wrong).err(), Some(expected));
    }

    #[test]
    fn a_chain_of_fallbacks_is_no_circle() {
        let chain = vec![
            route("a", "slack", Some("b")),
            route("b", "slack", Some("c")),
            route("c", "log", None),
        ];
        let routes = Routes::new(chain).expect("they fit together");
        assert_eq!(
            [routes.fallback(0), routes.fallback(1), routes.fallback(2)],
            [Some(1), Some(2), None]
        );
    }
}
