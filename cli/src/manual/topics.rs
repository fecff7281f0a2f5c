//! The pages that are not about a command of `ghapp`, and the parts of them that are made from tables.

use ghapp_agent::config::{KEYS, Key};
use ghapp_protocol::error::{ErrorCode, GitNext};

use super::page::{Page, entry};

/// The topics of `ghapp help` besides commands, and their pages.
pub(crate) const TOPICS: &[(&str, &str)] = &[
    ("config", include_str!("../../man/config.txt")),
    ("environment", include_str!("../../man/environment.txt")),
    ("errors", include_str!("../../man/errors.txt")),
    ("exit-codes", include_str!("../../man/exit-codes.txt")),
    ("git", include_str!("../../man/git.txt")),
    ("security", include_str!("../../man/security.txt")),
];

/// The pages of the programs that are not `ghapp`.
const PROGRAMS: &[&str] =
    &[include_str!("../../man/git-credential-ghapp.txt"), include_str!("../../man/ghapp-agent.txt")];

/// The page of a topic.
pub(crate) fn topic(name: &str) -> Option<Page> {
    TOPICS.iter().find(|(topic, _)| *topic == name).map(|(_, text)| Page::read(text, made))
}

/// All pages that are written by hand.
pub(super) fn pages() -> impl Iterator<Item = Page> {
    TOPICS.iter().map(|(_, text)| text).chain(PROGRAMS).map(|text| Page::read(text, made))
}

/// The text for `@NAME` in a page.
fn made(name: &str) -> String {
    match name {
        "errors" => ErrorCode::ALL.iter().map(|code| error(*code)).collect::<Vec<_>>().join("\n\n"),
        section => {
            let keys = KEYS.iter().filter(|it| it.section.name() == section).map(key);
            keys.collect::<Vec<_>>().join("\n\n")
        }
    }
}

/// The entry of an error.
pub(crate) fn error(code: ErrorCode) -> String {
    let git = match code.git_next() {
        GitNext::Stop => "git stops",
        GitNext::NextHelper => "git goes on",
    };
    let text = format!("{} Exit code {}; {git}. Next step: {}.", code.meaning(), code.exit(), code.next_step());
    entry(code.id(), &text)
}

fn key(key: &Key) -> String {
    let default = key.default.map(|default| format!(" Left out: {default}."));
    entry(key.name, &format!("{}{}", key.meaning, default.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::error::ErrorCode;

    use super::{TOPICS, pages, topic};
    use ghapp_agent::config::Section;

    #[test]
    fn every_error_exit_code_and_configuration_key_is_in_a_page() {
        let text = |name: &str| topic(name).unwrap().text();
        let (errors, exits, config) = (text("errors"), text("exit-codes"), text("config"));
        for code in ErrorCode::ALL {
            assert!(errors.contains(&format!("\n    {}\n        {}", code.id(), &code.meaning()[..8])), "{code:?}");
            assert!(exits.contains(&format!("\n    {}\n", code.exit())), "{code:?}");
        }
        for section in Section::ALL {
            let table = config.split(&format!("\n{}\n", section.header())).nth(1).unwrap();
            for key in section.keys() {
                assert!(table.contains(&format!("    {}\n        ", key.name)), "{section:?}: {}", key.name);
            }
        }
    }

    #[test]
    fn every_page_is_narrow_and_names_only_pages_that_there_are() {
        let names: Vec<_> = pages().map(|page| page.name).collect();
        assert_eq!(names.len(), TOPICS.len() + 2);
        for page in pages() {
            let text = page.text();
            for line in text.lines().skip(1) {
                assert!(line.chars().count() <= 78, "{}: {line}", page.name);
            }
            let words = text.split(|char: char| char.is_whitespace() || char == ',');
            for other in words.filter(|word| word.starts_with("ghapp") || word.starts_with("git-cred")) {
                let Some((name, "5" | "7")) = other.split_once('(').map(|(name, rest)| (name, &rest[..1])) else {
                    continue;
                };
                assert!(names.iter().any(|known| known == name), "{}: {other}", page.name);
            }
        }
    }
}
