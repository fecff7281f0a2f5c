//! The command line: options first, the operation last, as git appends it.

use std::ffi::OsString;

use ghapp_protocol::remote::Owner;

/// What git wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A user name and a password.
    Get,
    /// To say that they worked.
    Store,
    /// To say that they did not.
    Erase,
    /// To know what this helper can do.
    Capability,
    /// Something that a newer git knows; gitcredentials(7) asks helpers to ignore it.
    Unknown,
    /// Nothing: a person called the helper.
    None,
    /// The version.
    Version,
    /// Help.
    Help,
}

/// A command line that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// What git wants.
    pub(crate) operation: Operation,
    /// The owners that may be meant when git names no repository.
    pub(crate) owners: Vec<Owner>,
}

/// What is wrong with a command line. It never repeats an argument: git puts configured text there.
pub(crate) type UsageError = &'static str;

/// Reads the arguments without the program's name.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Invocation, UsageError> {
    let mut invocation = Invocation { operation: Operation::None, owners: Vec::new() };
    let mut arguments = arguments.iter().map(|argument| argument.to_str().unwrap_or("")).peekable();
    while let Some(argument) = arguments.next() {
        match argument {
            "--version" => invocation.operation = Operation::Version,
            "--help" | "-h" => invocation.operation = Operation::Help,
            _ if argument.starts_with("--owner=") => {
                let owner = Owner::parse(&argument["--owner=".len()..]);
                invocation.owners.push(owner.map_err(|_| "--owner needs the name of an account")?);
            }
            _ if argument.starts_with('-') => return Err("unknown option"),
            // rule 1: the operation is the last argument, whatever stands before it
            _ if arguments.peek().is_some() => {
                return Err("the operation must be the last argument");
            }
            "get" => invocation.operation = Operation::Get,
            "store" => invocation.operation = Operation::Store,
            "erase" => invocation.operation = Operation::Erase,
            "capability" => invocation.operation = Operation::Capability,
            _ => invocation.operation = Operation::Unknown,
        }
    }
    Ok(invocation)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use ghapp_protocol::remote::Owner;

    use super::{Invocation, Operation, parse};

    fn parsed(arguments: &[&str]) -> Result<Invocation, &'static str> {
        parse(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    // rule 1
    #[test]
    fn the_operation_is_the_last_argument() {
        assert_eq!(parsed(&["get"]).unwrap().operation, Operation::Get);
        let invocation = parsed(&["--owner=acme", "--owner=octo", "erase"]).unwrap();
        assert_eq!(invocation.operation, Operation::Erase);
        assert_eq!(invocation.owners, [Owner::parse("acme").unwrap(), Owner::parse("octo").unwrap()]);
        assert!(parsed(&["get", "store"]).is_err());
    }

    #[test]
    fn an_unknown_operation_is_not_an_error_and_an_unknown_option_is() {
        assert_eq!(parsed(&["gett"]).unwrap().operation, Operation::Unknown);
        assert_eq!(parsed(&[]).unwrap().operation, Operation::None);
        assert!(parsed(&["--frobnicate", "get"]).is_err());
        assert!(parsed(&["--owner=a/b", "get"]).is_err());
    }
}
