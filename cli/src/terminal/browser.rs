//! Opens a page in the person's browser, where there is one, and says how to reach it from elsewhere.

use std::process::{Command, Stdio};

use ghapp_protocol::pasted::shell_word;

/// Opens a page. False when there is no browser to open it with; true does not prove that a browser shows it.
pub(crate) fn open(url: &str) -> bool {
    let chosen = std::env::var("BROWSER").ok().filter(|value| !value.trim().is_empty());
    let commands = match &chosen {
        // A list with colons between the commands, each with `%s` in the place of the page or without.
        Some(list) => list.split(':').map(|command| words(command, url)).collect(),
        None => desktop_command(url).into_iter().collect::<Vec<_>>(),
    };
    commands.iter().any(|words| start(words))
}

fn words(command: &str, url: &str) -> Vec<String> {
    let mut words: Vec<String> = command.split_whitespace().map(|word| word.replace("%s", url)).collect();
    if !words.is_empty() && !command.contains("%s") {
        words.push(url.to_owned());
    }
    words
}

/// The program that knows the desktop's browser.
fn desktop_command(url: &str) -> Option<Vec<String>> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let program: &[&str] = if cfg!(target_os = "macos") {
        // A user who came by ssh does not see what opens here.
        if set("SSH_CONNECTION") { &[] } else { &["open"] }
    } else if cfg!(windows) {
        &["rundll32", "url.dll,FileProtocolHandler"]
    } else if set("DISPLAY") || set("WAYLAND_DISPLAY") {
        &["xdg-open"]
    } else {
        &[]
    };
    let words = program.iter().copied().chain([url]).map(str::to_owned).collect();
    (!program.is_empty()).then_some(words)
}

fn start(words: &[String]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let mut command = Command::new(program);
    // What the browser prints is not for this command's user, and Ctrl-C here is not meant for the browser.
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().is_ok()
}

/// The command that forwards a port of this machine to the one where the user sits; `None` when that is this machine.
pub(crate) fn tunnel(port: u16) -> Option<String> {
    let connection = std::env::var("SSH_CONNECTION").ok()?;
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
    tunnel_for(&connection, user.as_deref(), port)
}

/// `SSH_CONNECTION` is "client address, client port, server address, server port" (ssh(1)).
fn tunnel_for(connection: &str, user: Option<&str>, port: u16) -> Option<String> {
    let fields: Vec<&str> = connection.split_whitespace().collect();
    let [_, _, server, server_port] = fields[..] else { return None };
    let server = match user.filter(|user| !user.is_empty()) {
        Some(user) => format!("{user}@{server}"),
        None => server.to_owned(),
    };
    let at = if server_port == "22" { String::new() } else { format!("-p {} ", shell_word(server_port)) };
    Some(format!("ssh {at}-L {port}:127.0.0.1:{port} {}", shell_word(&server)))
}

#[cfg(test)]
mod tests {
    use super::{tunnel_for, words};

    #[test]
    fn a_browser_gets_the_page_where_it_wants_it() {
        assert_eq!(words("firefox", "http://x"), ["firefox", "http://x"]);
        assert_eq!(words("chromium --app=%s --new", "http://x"), ["chromium", "--app=http://x", "--new"]);
        assert!(words(" ", "http://x").is_empty());
    }

    #[test]
    fn the_way_through_ssh_can_be_pasted() {
        let tunnel = |connection: &str| tunnel_for(connection, Some("mona"), 4000);
        assert_eq!(tunnel("10.0.0.9 5000 10.0.0.5 22").unwrap(), "ssh -L 4000:127.0.0.1:4000 mona@10.0.0.5");
        assert_eq!(tunnel("fe80::1 5000 fe80::2 2222").unwrap(), "ssh -p 2222 -L 4000:127.0.0.1:4000 mona@fe80::2");
        assert_eq!(tunnel_for("a b c;d 22", None, 1).unwrap(), "ssh -L 1:127.0.0.1:1 'c;d'");
        assert_eq!(tunnel("nonsense"), None);
    }
}
