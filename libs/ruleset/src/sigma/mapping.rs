//! Log sources and field names of Sigma to those of our events: the data files `logsources.yml` and `fields.yml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::compiler::Compiler;
use super::placeholders::Placeholders;
use super::reader::{Entries, Reader, begin, items};
use crate::Predicate;
use crate::error::{Fault, Source, quoted};
use crate::query::{CANONICAL, all_of, any_of};
use crate::rule_file::{Content, Node, documents};

const LOGSOURCES: Source = Source {
    file: "logsources.yml",
    text: include_str!("logsources.yml"),
};
const FIELDS: Source = Source {
    file: "fields.yml",
    text: include_str!("fields.yml"),
};

/// The taxonomies whose names are known.
const TAXONOMIES: [&str; 3] = ["sigma", "ecs", "ocsf"];

const SHIPPED: &str = "the mappings that are part of the program are read by the tests";

/// The mappings that are part of the program.
pub(super) static MAPPINGS: LazyLock<Mappings> = LazyLock::new(Mappings::shipped);

/// What a rule says of where its events come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Logsource {
    /// Category, product, service: in lower case.
    attributes: [Option<String>; 3],
}

const ATTRIBUTES: [&str; 3] = ["category", "product", "service"];

/// The fields of our events by the names that rules give them.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapping {
    ours: BTreeMap<String, String>,
}

/// Everything that is known of other names.
pub(super) struct Mappings {
    sources: Vec<(Logsource, Predicate)>,
    taxonomies: BTreeMap<String, Mapping>,
    none: Mapping,
}

impl Mapping {
    /// The names under which an event may have a field: ours first.
    pub(super) fn names<'a>(&'a self, written: &'a str) -> Vec<&'a str> {
        let ours = self
            .ours
            .get(written)
            .map(String::as_str)
            .filter(|ours| *ours != written);
        ours.into_iter().chain([written]).collect()
    }

    /// The one name to group by: ours if every event has it in the same place, else the name as it is written.
    pub(super) fn key(&self, written: &str) -> String {
        let ours = self.ours.get(written).filter(|ours| CANONICAL.contains(&ours.as_str()));
        ours.cloned().unwrap_or_else(|| written.to_owned())
    }
}

impl Mappings {
    /// Reads the mappings that are part of the program.
    fn shipped() -> Self {
        Self {
            sources: sources(),
            taxonomies: taxonomies(),
            none: Mapping::default(),
        }
    }

    /// The names of a taxonomy, and of the others what it does not name itself. Of an unknown one no name is known.
    pub(super) fn of_taxonomy(&self, taxonomy: &str) -> &Mapping {
        self.taxonomies.get(taxonomy).unwrap_or(&self.none)
    }

    pub(super) fn knows(&self, taxonomy: &str) -> bool {
        self.taxonomies.contains_key(taxonomy)
    }

    /// The events of a log source, and a word to the author if they are not quite known.
    pub(super) fn events(&self, logsource: &Logsource) -> (Predicate, Option<String>) {
        let within: Vec<_> = self
            .sources
            .iter()
            .filter(|(source, _)| source.is_within(logsource))
            .collect();
        let narrowest = within.iter().filter(|(source, _)| {
            !within
                .iter()
                .any(|(other, _)| source != other && source.is_within(other))
        });
        let taken: Vec<_> = narrowest.collect();
        if taken.is_empty() {
            let wider = self.sources.iter().filter(|(source, _)| logsource.is_within(source));
            let wider: Vec<_> = wider.map(|(_, events)| events.clone()).collect();
            if !wider.is_empty() {
                return (any_of(wider), None);
            }
            let message = format!("no events are known for {logsource}: the rule looks at all events");
            return (Predicate::All(Vec::new()), Some(message));
        }
        let unknown: Vec<_> = logsource
            .pairs()
            .filter(|(name, value)| {
                !taken
                    .iter()
                    .any(|(source, _)| source.pairs().any(|pair| pair == (*name, *value)))
            })
            .map(|(name, value)| format!("{name} {}", quoted(value)))
            .collect();
        let known: Vec<_> = taken.iter().map(|(source, _)| source.to_string()).collect();
        let warning = (!unknown.is_empty()).then(|| {
            let unknown = unknown.join(" and ");
            format!(
                "no events are known for the {unknown}: the rule looks at all events of {}",
                known.join(" and ")
            )
        });
        (all_of(taken.into_iter().map(|(_, events)| events.clone())), warning)
    }
}

impl Logsource {
    /// Reads `logsource:`. What else stands there says something to people.
    pub(super) fn read(reader: &mut Reader, node: Node) -> Option<Self> {
        let at = node.at.clone();
        let mut entries = reader.any_mapping(node, "logsource")?;
        let before = reader.errors.len();
        let attributes = ATTRIBUTES.map(|name| attribute(reader, &mut entries, name));
        if attributes.iter().all(Option::is_none) {
            let message = "`logsource` names a `category`, a `product` or a `service`";
            reader.refuse(&Fault::new(begin(&at), message));
        }
        (reader.errors.len() == before).then_some(Self { attributes })
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let pairs = ATTRIBUTES.into_iter().zip(&self.attributes);
        pairs.filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Whether everything that this one says, `other` says as well.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.pairs().all(|pair| other.pairs().any(|said| said == pair))
    }
}

impl std::fmt::Display for Logsource {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said: Vec<_> = self
            .pairs()
            .map(|(name, value)| format!("{name} {}", quoted(value)))
            .collect();
        out.write_str(&said.join(", "))
    }
}

fn attribute(reader: &mut Reader, entries: &mut Entries, name: &str) -> Option<String> {
    let node = entries.take(name)?;
    if matches!(node.content, Content::Null) {
        return None;
    }
    let given = reader.line(&node, name, 200)?;
    Some(given.value.to_lowercase())
}

/// The one document of a shipped file.
fn shipped(source: Source) -> Node {
    let mut documents = documents(source).expect(SHIPPED);
    documents.pop().expect(SHIPPED)
}

fn sources() -> Vec<(Logsource, Predicate)> {
    let mut reader = Reader::new(LOGSOURCES);
    let (mapping, placeholders) = (Mapping::default(), Placeholders::default());
    let entries = items(shipped(LOGSOURCES));
    let source = |node| {
        let mut entries = reader
            .mapping(node, "an entry", &["logsource", "events"])
            .expect(SHIPPED);
        let logsource = entries
            .take("logsource")
            .and_then(|node| Logsource::read(&mut reader, node));
        let events = entries.take("events").expect(SHIPPED);
        let events = Compiler::new(&mapping, &placeholders).selection(&mut reader, "events", events);
        (logsource.expect(SHIPPED), events.expect(SHIPPED))
    };
    entries.into_iter().map(source).collect()
}

fn taxonomies() -> BTreeMap<String, Mapping> {
    let mut reader = Reader::new(FIELDS);
    let mut entries = reader.mapping(shipped(FIELDS), "fields", &TAXONOMIES).expect(SHIPPED);
    let own: BTreeMap<&str, BTreeMap<String, String>> = TAXONOMIES
        .into_iter()
        .map(|taxonomy| {
            let node = entries.take(taxonomy).expect(SHIPPED);
            let names = reader.any_mapping(node, taxonomy).expect(SHIPPED).rest().into_iter();
            let mut name = |node| reader.line(&node, "field", 200).expect(SHIPPED).value;
            (
                taxonomy,
                names.map(|(theirs, node)| (theirs.value, name(node))).collect(),
            )
        })
        .collect();
    let of = |taxonomy: &str| {
        let mut ours: BTreeMap<String, String> = own.values().flatten().map(|(a, b)| (a.clone(), b.clone())).collect();
        ours.extend(own[taxonomy].clone());
        Mapping { ours }
    };
    TAXONOMIES.map(|taxonomy| (taxonomy.to_owned(), of(taxonomy))).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logsource(category: &str, product: &str, service: &str) -> Logsource {
        let said = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        Logsource {
            attributes: [said(category), said(product), said(service)],
        }
    }

    #[test]
    fn every_shipped_mapping_is_read_and_no_entry_stands_twice() {
        let mappings = Mappings::shipped();
        for (index, (source, _)) in mappings.sources.iter().enumerate() {
            assert!(
                !mappings.sources[..index].iter().any(|(other, _)| other == source),
                "{source}"
            );
        }
        assert!(mappings.sources.len() > 90);
    }

    #[test]
    fn the_most_particular_entries_are_taken_and_what_is_unknown_is_said() {
        let mappings = Mappings::shipped();
        let said = |category: &str, product: &str, service: &str| {
            let (events, warning) = mappings.events(&logsource(category, product, service));
            (format!("{events:?}").matches("name:").count(), warning)
        };
        assert_eq!(said("process_creation", "windows", ""), (4, None));
        assert_eq!(said("", "windows", ""), (1, None));
        assert_eq!(said("", "", "sshd"), (1, None));
        assert_eq!(said("process_creation", "", ""), (6, None), "of every product");
        assert_eq!(said("process_creation", "windows", "sysmon"), (5, None), "both hold");
        let (_, warning) = said("", "windows", "frobnicator");
        let expected =
            "no events are known for the service `frobnicator`: the rule looks at all events of product `windows`";
        assert_eq!(warning.as_deref(), Some(expected));
        let (tests, warning) = said("proxy", "", "");
        assert_eq!(tests, 0);
        let expected = "no events are known for category `proxy`: the rule looks at all events";
        assert_eq!(warning.as_deref(), Some(expected));
    }

    #[test]
    fn a_field_has_our_name_and_its_own() {
        let mappings = Mappings::shipped();
        let mapping = mappings.of_taxonomy("ecs");
        assert_eq!(mapping.names("source.ip"), ["source_ip", "source.ip"]);
        assert_eq!(mapping.names("Image"), ["Image"]);
        assert_eq!(
            (mapping.key("source.ip").as_str(), mapping.key("User").as_str()),
            ("source_ip", "User")
        );
        assert_eq!(mapping.key("dns.question.name"), "dns.question.name");
    }
}
