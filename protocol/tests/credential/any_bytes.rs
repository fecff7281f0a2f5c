//! Whatever arrives: no panic, no hang, and the same reading however it is cut into pieces.

use std::io::{self, Read};

use ghapp_protocol::credential::{Attributes, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::outcome;

/// Bytes that are nearly a request, which random bytes never are.
fn nearly_a_request() -> impl Strategy<Value = Vec<u8>> {
    let key = select(vec!["protocol", "host", "path", "username", "password", "url", "wwwauth[]", ""]);
    let value = prop_oneof![
        select(vec!["https", "github.com", "acme/web.git", "x-access-token", "https://github.com/acme/web.git",])
            .prop_map(|value| value.as_bytes().to_vec()),
        vec(any::<u8>(), 0..12),
    ];
    let between = select(vec!["=", "=", "=", "=", ""]);
    let end = select(vec!["\n", "\n", "\n", "\r\n", "\n\n", "\r", ""]);
    let line = (key, between, value, end)
        .prop_map(|(key, between, value, end)| [key.as_bytes(), between.as_bytes(), &value, end.as_bytes()].concat());
    vec(line, 0..8).prop_map(|lines| lines.concat())
}

/// Hands out at most so many bytes at a time, and is interrupted before each.
struct Drip<'a> {
    bytes: &'a [u8],
    most: usize,
    interrupted: bool,
}

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = self.most.min(buffer.len());
        self.bytes.read(&mut buffer[..count])
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in vec(any::<u8>(), 0..2000)) {
        outcome(bytes);
    }

    #[test]
    fn a_request_means_the_same_in_one_piece_and_in_many(
        bytes in nearly_a_request(),
        most in 1_usize..20,
    ) {
        let mut drip = Drip { bytes: &bytes, most, interrupted: false };
        let dripped = Attributes::read(&mut drip).and_then(Attributes::into_request);
        let whole = Attributes::read(&mut &bytes[..]).and_then(Attributes::into_request);
        prop_assert_eq!(format!("{dripped:?}"), format!("{whole:?}"));
    }

    /// No token is given for a host that the request does not name as its only one.
    #[test]
    fn what_is_read_as_a_question_says_so_on_a_line_of_its_own(bytes in nearly_a_request()) {
        let request = Attributes::read(&mut &bytes[..]).and_then(Attributes::into_request);
        if let Ok(Request::Https(question)) = request {
            let hosts: Vec<_> = bytes
                .split(|byte| *byte == b'\n')
                .take_while(|line| !matches!(line, [] | [b'\r']))
                .filter_map(|line| line.strip_prefix(b"host="))
                .map(|host| host.strip_suffix(b"\r").unwrap_or(host).to_ascii_lowercase())
                .collect();
            prop_assert_eq!(hosts, [question.host.as_str().as_bytes()]);
        }
    }

    #[test]
    fn a_well_formed_request_keeps_its_host_and_repository(
        host in "[a-z0-9-]{1,20}(\\.[a-z0-9-]{1,20}){0,3}",
        port in proptest::option::of(1_u16..),
        owner in "[A-Za-z0-9][A-Za-z0-9-]{0,33}(_[a-z]{1,4})?",
        repository in "[A-Za-z0-9_-][A-Za-z0-9._-]{0,90}[A-Za-z0-9_-]",
        spelling in select(vec!["", ".git", ".git/", "/info/lfs", ".git/info/lfs"]),
        line_end in select(vec!["\n", "\r\n"]),
        order in Just([0, 1, 2, 3]).prop_shuffle(),
    ) {
        let authority = port.map_or(host.clone(), |port| format!("{host}:{port}"));
        prop_assume!(!repository.to_ascii_lowercase().ends_with(".git"));
        let attributes = [
            "protocol=https".to_owned(),
            format!("host={authority}"),
            format!("path={owner}/{repository}{spelling}"),
            format!("wwwauth[]=Basic realm=\"{host}\""),
        ];
        let request = order.map(|at| format!("{}{line_end}", attributes[at])).concat();
        let authority = if port == Some(443) { host } else { authority };
        prop_assert_eq!(outcome(request), format!("{authority} {owner}/{repository}"));
    }
}
