use super::reader::{Entry, Reader};
use crate::error::{Fault, nearest, quoted};

/// The tactics of ATT&CK for enterprises, up to version 18 and from 19 on, as tags name them.
const TACTICS: [&str; 16] = [
    "reconnaissance",
    "resource_development",
    "initial_access",
    "execution",
    "persistence",
    "privilege_escalation",
    "defense_evasion",
    "stealth",
    "defense_impairment",
    "credential_access",
    "discovery",
    "lateral_movement",
    "collection",
    "command_and_control",
    "exfiltration",
    "impact",
];

/// A tag: one that begins with `attack.` names a tactic, a technique (`t1110`, `t1110.001`), a group (`g0016`) or a
/// software (`s0154`); any other is the author's own.
pub(super) fn tag(reader: &mut Reader, entry: Entry) -> Option<String> {
    let given = reader.text(entry)?;
    let Some(name) = given.value.strip_prefix("attack.") else {
        return Some(given.value);
    };
    if TACTICS.contains(&name.replace('-', "_").as_str()) || is_number(name) {
        return Some(given.value);
    }
    let meant = match nearest(name, TACTICS) {
        Some(known) => format!(": did you mean `attack.{known}`?"),
        None => ": a tactic as `attack.initial_access`, a technique as `attack.t1110` or `attack.t1110.001`".to_owned(),
    };
    reader.refuse(&Fault::new(
        given.at,
        format!("{} is not of ATT&CK{meant}", quoted(&given.value)),
    ));
    None
}

fn is_number(name: &str) -> bool {
    let digits = |text: &str, many| text.len() == many && text.bytes().all(|digit| digit.is_ascii_digit());
    match (name.split_at_checked(1), name.split_once('.')) {
        (Some(("t", _)), Some((technique, part))) => digits(&technique[1..], 4) && digits(part, 3),
        (Some(("t" | "g" | "s", number)), None) => digits(number, 4),
        _ => false,
    }
}

/// The same as a regular expression, for the schema.
pub(super) fn pattern() -> String {
    let tactics = TACTICS.map(|tactic| tactic.replace('_', "[_-]")).join("|");
    format!(r"^(?!attack\.)|^attack\.({tactics}|[tgs][0-9]{{4}}|t[0-9]{{4}}\.[0-9]{{3}})$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_attack() {
        for name in ["t1110", "t1110.001", "g0016", "s0154"] {
            assert!(is_number(name), "{name}");
        }
        for name in [
            "",
            "t",
            "t111",
            "t11100",
            "T1110",
            "t1110.1",
            "t1110.",
            "g0016.001",
            "ü1110",
            "m1036",
        ] {
            assert!(!is_number(name), "{name}");
        }
    }

    #[test]
    fn what_is_not_of_attack_is_refused_with_the_nearest() {
        let told = |tag: &str| {
            let text = format!("id: a\ntitle: t\nseverity: low\nmessage: m\nquery: a\ntags: [{tag}]\n");
            crate::parse("r.yml", &text)
                .err()
                .map(|errors| errors[0].message.clone())
        };
        for fine in [
            "attack.initial_access",
            "attack.initial-access",
            "attack.t1110.001",
            "team.identity",
            "cve.2026-1",
        ] {
            assert_eq!(told(fine), None, "{fine}");
        }
        let meant = "`attack.initial_acces` is not of ATT&CK: did you mean `attack.initial_access`?";
        assert_eq!(told("attack.initial_acces").as_deref(), Some(meant));
        assert!(told("attack.t111").is_some_and(|message| message.contains("a technique as `attack.t1110`")));
    }
}
