//! Links among the documents lead somewhere: to a file that git knows, and to a heading that is in it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// The targets of the links `[…](target)` of a text, without those in code.
fn targets(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = &line[at + 2..];
            found.extend(target.split(')').next());
        }
    }
    found
}

/// The anchor that a heading gets: small letters, digits and hyphens, a hyphen for each space.
fn anchor(heading: &str) -> String {
    let kept = |letter: char| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || "-_".contains(letter) => Some(letter.to_ascii_lowercase()),
        _ => None,
    };
    heading.trim().chars().filter_map(kept).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// Where a link in `file` leads to, from the root of the repository.
fn resolved(file: &str, link: &str) -> String {
    let mut path = PathBuf::new();
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    for part in folder.join(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => path.push(part),
        }
    }
    path.to_string_lossy().into_owned()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let files = layering::files();
    let is_known = |path: &str| {
        files
            .iter()
            .any(|file| file == path || file.starts_with(&format!("{path}/")))
    };
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in files.iter().filter(|file| file.ends_with(".md")) {
        let text = layering::read(file);
        for target in targets(&text).into_iter().filter(|target| !target.contains("://")) {
            count += 1;
            let (link, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if link.is_empty() {
                file.clone()
            } else {
                resolved(file, link)
            };
            if !is_known(&path) {
                wrong.push(format!("{file}: {target}: no such file"));
            } else if !heading.is_empty() && !anchors(&layering::read(&path)).contains(heading) {
                wrong.push(format!("{file}: {target}: no such heading"));
            }
        }
    }
    assert!(count > 50, "only {count} links were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn headings_and_links_are_read_as_browsers_do() {
    assert_eq!(anchor(" How these pages are tested"), "how-these-pages-are-tested");
    assert_eq!(anchor(" SASL, TLS & `kafka.tls`"), "sasl-tls--kafkatls");
    assert_eq!(resolved("docs/producers/curl.md", "../alerts.md"), "docs/alerts.md");
    assert_eq!(
        targets("a [b](c.md#d), [e](f)\n```\n[g](h)\n```\n[i](j)"),
        ["c.md#d", "f", "j"]
    );
}
