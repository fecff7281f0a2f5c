//! The documents: a link inside the repository leads somewhere, a decision that is cited is written down, the README is a front page.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// Most bytes of the README: a front page, not a manual.
const LARGEST_README: usize = 10 * 1024;
/// Where the decisions are.
const DECISIONS: &str = "docs/architecture.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The files of a checkout with one of these endings, without what cargo and git keep there.
fn files(root: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut directories) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let (path, kind, name) = (entry.path(), entry.file_type().unwrap(), entry.file_name());
            if kind.is_dir() && name != "target" && name != ".git" {
                directories.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|it| endings.iter().any(|ending| it == *ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A text with blanks in some places, so that everything else stays where it is.
fn blanked(text: &str, places: &[Range<usize>]) -> String {
    let blank = |(at, char): (usize, char)| match char {
        '\n' => "\n".to_owned(),
        char if places.iter().any(|place| place.contains(&at)) => " ".repeat(char.len_utf8()),
        char => char.to_string(),
    };
    text.char_indices().map(blank).collect()
}

/// A document without its blocks of code and its comments.
fn without_code_blocks(text: &str) -> String {
    let (mut blocks, mut open, mut start) = (Vec::new(), None::<&str>, 0);
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let sign = bare.chars().next().filter(|sign| matches!(sign, '`' | '~')).unwrap_or('`');
        let fence = &bare[..bare.len() - bare.trim_start_matches(sign).len()];
        // A line of text may begin with a fence of its own: then there is another one in it.
        let opens = fence.len() >= 3 && !bare[fence.len()..].contains(sign);
        let place = start..start + line.len();
        match open {
            None if opens => (open, blocks) = (Some(fence), [blocks, vec![place]].concat()),
            None => {}
            Some(fence) => {
                blocks.push(place);
                open = open.filter(|_| !(bare.starts_with(fence) && bare.trim_matches(sign).is_empty()));
            }
        }
        start += line.len();
    }
    let text = blanked(text, &blocks);
    let end = |start: usize| text[start..].find("-->").map_or(text.len(), |length| start + length + 3);
    let comments: Vec<_> = text.match_indices("<!--").map(|(start, _)| start..end(start)).collect();
    blanked(&text, &comments)
}

/// The same without code within lines: between two runs of so many backticks, in one paragraph.
fn without_code(text: &str) -> String {
    let text = without_code_blocks(text);
    let (mut spans, mut at) = (Vec::new(), 0);
    while let Some(start) = text[at..].find('`').map(|found| at + found) {
        let run = |from: usize| text[from..].len() - text[from..].trim_start_matches('`').len();
        let (length, mut next) = (run(start), start + run(start));
        let paragraph = text[next..].find("\n\n").map_or(text.len(), |found| next + found);
        at = next;
        while let Some(other) = text[next..paragraph].find('`').map(|found| next + found) {
            next = other + run(other);
            if run(other) == length {
                spans.push(start..next);
                at = next;
                break;
            }
        }
    }
    blanked(&text, &spans)
}

/// A link: the number of its line, and where it leads.
type Link = (usize, String);

/// The links of a document: those within lines, and what their labels stand for. A label that stands for nothing is a link to itself.
fn links(text: &str) -> Vec<Link> {
    let text = without_code(text);
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let mut links = Vec::new();
    let mut labels = HashSet::new();
    for (at, _) in text.match_indices("]: ") {
        let begin = text[..at].rfind('\n').map_or(0, |found| found + 1);
        if let Some(label) = text[begin..at].trim_start().strip_prefix('[').filter(|label| !label.contains(']')) {
            labels.insert(label.to_lowercase());
            links.extend(target(&text[at + 3..]).map(|target| (line(at), target)));
        }
    }
    for before in ["](", "href=\"", "src=\""] {
        let found = text.match_indices(before).map(|(at, _)| (at, &text[at + before.len()..]));
        links.extend(found.filter_map(|(at, rest)| Some((line(at), target(rest)?))));
    }
    for (at, _) in text.match_indices("][") {
        let label = text[at + 2..].split(']').next().unwrap_or_default();
        if !label.is_empty() && !labels.contains(&label.to_lowercase()) {
            links.push((line(at), format!("[{label}]")));
        }
    }
    links.sort();
    links
}

/// Where a link leads whose target begins here: up to a blank, its title, or the parenthesis that no other one opened.
fn target(text: &str) -> Option<String> {
    if let Some(text) = text.strip_prefix('<') {
        return text.split_once('>').map(|(target, _)| target.to_owned());
    }
    let mut depth = 0;
    let end = text.find(|char: char| {
        depth += i32::from(char == '(') - i32::from(char == ')');
        char.is_whitespace() || char == '"' || depth < 0
    });
    let target = &text[..end.unwrap_or(text.len())];
    (!target.is_empty()).then(|| target.to_owned())
}

/// The headings of a document as GitHub names them: in small letters, blanks as hyphens, other signs left out, and a number behind what
/// is there already.
fn anchors(text: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    for line in without_code_blocks(text).lines() {
        let title = line.trim_start_matches('#');
        let depth = line.len() - title.len();
        if !(1..=6).contains(&depth) || !title.starts_with(' ') {
            continue;
        }
        let title = link_texts(title.trim().trim_end_matches('#').trim_end()).to_lowercase();
        let kept = title.chars().filter(|char| char.is_alphanumeric() || matches!(char, '-' | '_' | ' '));
        let slug: String = kept.map(|char| if char == ' ' { '-' } else { char }).collect();
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let free = [slug.clone()].into_iter().chain(numbered).find(|slug| !anchors.contains(slug));
        anchors.extend(free);
    }
    anchors
}

/// A heading with the text of each link in the link's place.
fn link_texts(title: &str) -> String {
    let Some((before, rest)) = title.split_once("](") else { return title.to_owned() };
    let (_, after) = rest.split_once(')').unwrap_or((rest, ""));
    before.replacen('[', "", 1) + &link_texts(after)
}

/// What is wrong with the links of a document in the repository at `root`.
fn broken(root: &Path, document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let place = document.strip_prefix(root).unwrap();
    let judge = |(line, target): Link| {
        let fault = fault(root, place, &text, &target)?;
        Some(format!("{}:{line}: {target} {fault}", place.display()))
    };
    links(&text).into_iter().filter_map(judge).collect()
}

fn fault(root: &Path, document: &Path, text: &str, target: &str) -> Option<&'static str> {
    if target.starts_with('[') {
        return Some("stands for nothing");
    }
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let mut there = PathBuf::new();
    // GitHub takes a slash at the beginning for the repository's root.
    let from = document.parent().filter(|_| !path.starts_with('/')).unwrap_or(Path::new(""));
    for part in from.join(path.trim_start_matches('/')).components() {
        match part {
            Component::ParentDir if !there.pop() => return Some("leaves the repository"),
            Component::Normal(name) => there.push(name),
            _ => {}
        }
    }
    let there = if path.is_empty() { root.join(document) } else { root.join(there) };
    if !there.exists() {
        return Some("is not there");
    }
    let anchor = anchor?;
    if there.extension().is_none_or(|ending| ending != "md") {
        return Some("is no document with headings");
    }
    let there = if path.is_empty() { text.to_owned() } else { fs::read_to_string(there).unwrap() };
    (!anchors(&there).contains(anchor)).then_some("is no heading there")
}

/// The numbers of decisions that a text cites: `decision 2`, `Decisions 5 to 7`.
fn cited(text: &str) -> BTreeSet<u32> {
    let text = text.to_lowercase();
    let words: Vec<_> = text.split_whitespace().collect();
    let bare = |word: &str| word.trim_matches(|sign: char| !sign.is_alphanumeric()).parse::<u32>().ok();
    let mut numbers = BTreeSet::new();
    for (at, _) in
        words.iter().enumerate().filter(|(_, word)| word.ends_with("decision") || word.ends_with("decisions"))
    {
        let behind = &words[at + 1..];
        let end = behind.iter().position(|word| !matches!(*word, "to" | "and") && bare(word).is_none());
        numbers.extend(behind[..end.unwrap_or(behind.len())].iter().filter_map(|word| bare(word)));
    }
    numbers
}

/// The decisions that are written down, in their order.
fn written_down() -> Vec<u32> {
    let text = fs::read_to_string(root().join(DECISIONS)).unwrap();
    let titles = text.lines().filter_map(|line| line.strip_prefix("#### Decision ")?.split_once(": "));
    titles.map(|(number, _)| number.parse().unwrap()).collect()
}

#[test]
fn every_link_inside_the_repository_leads_somewhere() {
    let documents = files(root(), &["md"]);
    assert!(documents.len() > 10, "{documents:?}");
    let broken: Vec<_> = documents.iter().flat_map(|document| broken(root(), document)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_readme_is_a_front_page() {
    let size = fs::read(root().join("README.md")).unwrap().len();
    assert!(size <= LARGEST_README, "README.md has {size} bytes: what a reader does not need first belongs into docs/");
}

#[test]
fn every_decision_that_is_cited_is_written_down() {
    let written_down = written_down();
    assert_eq!(written_down, (1..=u32::try_from(written_down.len()).unwrap()).collect::<Vec<_>>(), "{DECISIONS}");
    let mut seen = 0;
    for file in files(root(), &["rs", "md", "toml", "txt"]) {
        // What is here are examples.
        if file.ends_with("tests/e2e/documents.rs") {
            continue;
        }
        for number in cited(&fs::read_to_string(&file).unwrap_or_default()) {
            assert!(written_down.contains(&number), "{} cites decision {number}", file.display());
            seen += 1;
        }
    }
    assert!(seen > written_down.len(), "only {seen} decisions are cited");
}

#[test]
fn what_is_broken_is_found() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::create_dir(root.join("docs")).unwrap();
    fs::write(root.join("README.md"), "# Front\n\n## A `get`, twice & once\n\n## A get twice  once\n").unwrap();
    fs::write(root.join("picture.svg"), "").unwrap();
    let page = root.join("docs/page.md");
    for (text, faults) in [
        ("[a](../README.md) ![b](../picture.svg \"B\") [c](/docs/page.md) [d](..) [e](<../README.md#front>)", vec![]),
        ("[a](https://example.com/#x) <https://example.com> [b](mailto:b@example.com)", vec![]),
        ("[a](../README.md#a-get-twice--once) [b](../README.md#a-get-twice--once-1)", vec![]),
        ("# Here\n\nsee [a](#here), [b][B], and [c] is no link\n\n[b]: page.md#here", vec![]),
        ("`[a](gone.md)` ``[`](gone.md)`` <!-- [b](gone.md) -->\n\n```\n[c](gone.md)\n# Here\n```\n", vec![]),
        ("one ` alone\n\n[a](gone.md) and ` another", vec!["docs/page.md:3: gone.md is not there"]),
        ("[a](README.md)", vec!["docs/page.md:1: README.md is not there"]),
        ("[a](../../passwd)", vec!["docs/page.md:1: ../../passwd leaves the repository"]),
        ("\n![a](../gone.svg)", vec!["docs/page.md:2: ../gone.svg is not there"]),
        ("<img src=\"gone.png\">", vec!["docs/page.md:1: gone.png is not there"]),
        ("[a](../README.md#back)", vec!["docs/page.md:1: ../README.md#back is no heading there"]),
        (
            "[a](../README.md#a-get-twice--once-2)",
            vec!["docs/page.md:1: ../README.md#a-get-twice--once-2 is no heading there"],
        ),
        ("[a](../picture.svg#L1)", vec!["docs/page.md:1: ../picture.svg#L1 is no document with headings"]),
        ("```\n# Here\n```\n[a](#here)", vec!["docs/page.md:4: #here is no heading there"]),
        (
            "[a][b]\n\n[c]: gone.md",
            vec!["docs/page.md:1: [b] stands for nothing", "docs/page.md:3: gone.md is not there"],
        ),
    ] {
        fs::write(&page, text).unwrap();
        assert_eq!(broken(root, &page), faults, "{text}");
    }
}

#[test]
fn a_heading_is_named_as_github_names_it() {
    for (heading, anchor) in [
        ("# How it works", "how-it-works"),
        ("### Decision 14: not ours, and ours but refused", "decision-14-not-ours-and-ours-but-refused"),
        ("## What `expose` is ##", "what-expose-is"),
        ("## A [link](there.md) & *more*_", "a-link--more_"),
        ("## Über_uns - neu", "über_uns---neu"),
    ] {
        assert_eq!(anchors(heading), HashSet::from([anchor.to_owned()]));
    }
    assert!(anchors("#no heading\n####### none\n    # code").is_empty());
}

#[test]
fn a_citation_of_decisions_is_understood_in_all_its_forms() {
    let of = |text: &str| cited(text).into_iter().collect::<Vec<_>>();
    assert_eq!(
        of("do not count (decision 2). Decisions 5 to 7, decisions 1 and 3: \"decision 14\""),
        [1, 2, 3, 5, 7, 14]
    );
    assert!(of("25,000 decisions are a decision. 7 of them").is_empty());
}
