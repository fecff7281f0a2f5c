//! The passphrase of an encrypted file: asked for on the terminal without showing it, or read from a file. Never an argument or an
//! environment variable, which other processes can see. Owns the `rpassword` crate.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use ghapp_agent::model::StoreKind;
use ghapp_protocol::secret::Secret;
use zeroize::Zeroizing;

use crate::arguments::Login;
use crate::failure::CliError;
use crate::session::Session;

/// Longest passphrase, in bytes.
const MAX: usize = 1024;
/// The flag that names the file.
const FLAG: &str = "--passphrase-file FILE";

/// A passphrase for a new file. On a terminal it has to be typed twice. `stdin_is_key` says that standard input is taken.
fn new(session: &Session<'_>, file: Option<&Path>, stdin_is_key: bool) -> Result<Secret, CliError> {
    read(session, file, stdin_is_key, || {
        let first = prompt("Passphrase for the encrypted file: ")?;
        let second = prompt("The same once more: ")?;
        if *first == *second { Ok(first) } else { Err(CliError::usage("the two passphrases differ")) }
    })
}

/// The passphrase for the new file of a login, if its store needs one. `stdin_is_key` says that standard input is taken.
pub(crate) fn for_login(session: &Session<'_>, login: &Login, stdin_is_key: bool) -> Result<Option<Secret>, CliError> {
    if login.store() != StoreKind::EncryptedFile {
        return Ok(None);
    }
    new(session, login.passphrase_file.as_deref(), stdin_is_key).map(Some)
}

/// The passphrase of an existing file. `stdin_is_key` says that standard input is taken.
pub(crate) fn known(session: &Session<'_>, file: Option<&Path>, stdin_is_key: bool) -> Result<Secret, CliError> {
    read(session, file, stdin_is_key, || prompt("Passphrase: "))
}

fn read(
    session: &Session<'_>,
    file: Option<&Path>,
    stdin_is_key: bool,
    ask: impl FnOnce() -> Result<Zeroizing<String>, CliError>,
) -> Result<Secret, CliError> {
    let text = match file {
        Some(path) if path.as_os_str() == "-" && stdin_is_key => {
            return Err(CliError::usage("standard input cannot be both the key and the passphrase")
                .hint(format!("name a file for one of them: {FLAG}")));
        }
        Some(path) if path.as_os_str() == "-" => from_stdin()?,
        Some(path) => {
            let line = File::open(path).and_then(first_line);
            text(&line.map_err(|error| CliError::file("read", path, error))?)?
        }
        None if session.no_input => return Err(missing("the encrypted file needs a passphrase")),
        None if !stdin_is_key && !io::stdin().is_terminal() => from_stdin()?,
        None => ask()?,
    };
    if text.is_empty() {
        return Err(missing("the passphrase is empty"));
    }
    Ok(Secret::new(text.to_string()))
}

fn prompt(text: &str) -> Result<Zeroizing<String>, CliError> {
    match rpassword::prompt_password(text) {
        Ok(line) => Ok(Zeroizing::new(line)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(CliError::usage("nothing was entered")),
        Err(error) => Err(missing("there is no terminal to ask for the passphrase").caused_by(error)),
    }
}

fn from_stdin() -> Result<Zeroizing<String>, CliError> {
    let line = first_line(io::stdin().lock());
    text(&line.map_err(|error| CliError::usage(format!("cannot read the passphrase from standard input: {error}")))?)
}

/// The first line, without its line end. The buffer has its full size from the start: growing it would leave a copy behind.
fn first_line(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX));
    source.take(MAX as u64 + 2).read_to_end(&mut bytes)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    bytes.truncate(end);
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    if bytes.len() > MAX {
        return Err(io::Error::other(format!("it has more than {MAX} bytes")));
    }
    Ok(bytes)
}

fn text(bytes: &[u8]) -> Result<Zeroizing<String>, CliError> {
    let text = std::str::from_utf8(bytes).map(|text| Zeroizing::new(text.to_owned()));
    text.map_err(|_| CliError::usage("the passphrase is not text in UTF-8"))
}

fn missing(why: &str) -> CliError {
    CliError::usage(why).hint(format!("give it with {FLAG}, or - for standard input"))
}

#[cfg(test)]
mod tests {
    use super::{MAX, first_line};

    #[test]
    fn the_first_line_counts_and_there_is_a_limit() {
        for (file, expected) in [("a b", "a b"), ("a b\n", "a b"), ("a b\r\nc\n", "a b"), ("\n", ""), ("", "")] {
            assert_eq!(first_line(file.as_bytes()).unwrap().as_slice(), expected.as_bytes(), "{file:?}");
        }
        assert_eq!(first_line(std::io::Read::take(std::io::repeat(b'x'), MAX as u64)).unwrap().len(), MAX);
        assert!(first_line(std::io::repeat(b'x')).is_err());
    }
}
