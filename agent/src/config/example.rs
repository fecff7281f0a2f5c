//! An example of the configuration file, with every key: what it does, and what it can look like.

use super::keys::{Key, Section};

/// How wide a comment is.
const WIDTH: usize = 78;
const HEAD: &str = "\
# The configuration of ghapp and its agent. ghapp-config(5) explains it.
# What is commented out as here:
#key = value
# can be taken in by removing the first character.
";
const APPS: &str = "\n# One for each App; `ghapp login` writes them.\n";
const RULES: &str = "\n# The first one that matches a repository decides; without any, every installation\n\
                     # of every App is served, one repository at a time.\n";

/// Prints every key of the table of keys; all are commented out, so that the file changes nothing.
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    for section in Section::ALL {
        text += match section {
            Section::Agent => "\n",
            Section::App => APPS,
            Section::Rule => RULES,
        };
        text.extend(["#", section.header(), "\n"]);
        text.extend(section.keys().map(line));
    }
    text
}

fn line(key: &Key) -> String {
    let mut comment = String::from("#");
    let mut width = comment.len();
    for word in key.meaning.split_whitespace() {
        if width + 1 + word.len() > WIDTH {
            comment += "\n#";
            width = 1;
        }
        comment = comment + " " + word;
        width += 1 + word.len();
    }
    format!("{comment}\n#{} = {}\n", key.name, key.example)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::example;
    use crate::config::{Config, KEYS, parse};

    #[test]
    fn it_is_understood_as_it_is_and_without_the_signs_of_comments() {
        let text = example();
        let read = |text: &str| parse(text, Path::new("example.toml")).unwrap();
        assert_eq!(read(&text), Config::default());
        let taken_in: String = text
            .lines()
            .filter(|line| *line != "#key = value")
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if rest.starts_with(|char: char| char != ' ') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config = read(&taken_in);
        assert_eq!((config.apps.len(), config.rules.len()), (1, 1));
        assert_eq!(config.agent, Config::default().agent, "the defaults are what it says they are");
        for key in KEYS {
            assert!(taken_in.contains(&format!("\n{} = ", key.name)), "{}", key.name);
        }
        assert!(text.lines().all(|line| line.chars().count() <= 112), "{text}");
    }
}
