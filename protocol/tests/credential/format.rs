//! Rules 2 to 9: how lines become attributes.

use std::io::{self, Read};

use ghapp_protocol::credential::Attributes;

use crate::{outcome, with_host, with_lines};

const LONGEST_LINE: usize = 65_535;
const LARGEST_REQUEST: usize = 1024 * 1024;

#[test]
fn rule_2_a_blank_line_ends_the_request_and_nothing_behind_it_is_read() {
    struct Trap<'a>(&'a [u8]);
    impl Read for Trap<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0.is_empty(), "read on behind the blank line");
            self.0.read(buffer)
        }
    }
    let mut trap = Trap(b"protocol=https\nhost=github.com\n\n");
    assert!(Attributes::read(&mut trap).unwrap().into_request().is_ok());
    assert_eq!(with_lines("\nhost=evil.example\n\0\r"), "github.com -");
    assert_eq!(with_lines("\r\nno attribute"), "github.com -");
}

#[test]
fn rule_2_the_end_of_the_input_ends_the_request_even_within_a_line() {
    assert_eq!(with_lines("path=acme/web.git"), with_lines("path=acme/web.git\n"));
    assert_eq!(outcome(""), "refused: the attribute protocol is missing or empty");
}

#[test]
fn rule_3_one_carriage_return_before_a_line_feed_is_dropped_and_any_other_refused() {
    assert_eq!(with_lines("path=acme/web.git\r\n"), "github.com acme/web");
    for line in [
        "path=acme/web.git\r\r\n",
        "path=acme\r/web.git\n",
        "path=acme/web.git\r", // no line feed behind it
        "pa\rth=acme/web.git\n",
        "wwwauth[]=Basic\rhost=evil.example\n",
        "\r\r\n",
        "path=acme/web\0.git\n",
        "\0=x\n",
        "unknown=\0\n",
    ] {
        assert_eq!(with_lines(line), "refused: line 3 contains a NUL or CR character", "{line:?}");
    }
}

#[test]
fn rule_4_only_the_line_feed_ends_a_line_and_nothing_is_trimmed_or_decoded() {
    for separator in ["\u{2028}", "\u{2029}", "\u{85}", "\u{b}", "\u{c}"] {
        assert_eq!(with_lines(&format!("x=y{separator}host=evil.example\n")), "github.com -", "{separator:?}");
        let host = format!("evil.example{separator}host=github.com");
        assert_eq!(with_host(&host), "not ours: Host", "{separator:?}");
    }
    for host in [" github.com", "github.com ", "github.com\t", "github%2ecom"] {
        assert_eq!(with_host(host), "not ours: Host", "{host:?}");
    }
    assert_eq!(outcome(b"protocol=https\nhost=github.com\npath=acme/w\xffb\n"), "not ours: Path");
    assert_eq!(outcome(b"protocol=https\nhost=\xff\n\xff=\xff\n"), "not ours: Host");
}

#[test]
fn rule_5_the_first_equals_sign_ends_the_key_and_a_line_needs_both() {
    assert_eq!(with_lines("x==y=z\n"), "github.com -");
    assert_eq!(with_lines("x=\n"), "github.com -");
    for line in ["x\n", "=x\n", "=\n", " \n", "x"] {
        assert_eq!(with_lines(line), "refused: line 3 is not a key with a value", "{line:?}");
    }
}

#[test]
fn rule_6_an_attribute_that_comes_twice_is_refused_even_if_it_says_the_same() {
    for (key, value) in [
        ("protocol", "https"),
        ("host", "github.com"),
        ("path", "acme/web.git"),
        ("username", "x-access-token"),
        ("password", "secret"),
        ("url", "https://github.com"),
    ] {
        let twice = format!("{key}={value}\nx=y\n{key}={value}\n");
        let expected = format!("refused: the attribute {key} came twice");
        assert_eq!(outcome(twice), expected);
    }
}

#[test]
fn rule_7_lines_up_to_65_535_bytes_are_read_and_longer_ones_refused() {
    let line = |length: usize| {
        let key = "wwwauth[]=";
        format!("{key}{}\n", "x".repeat(length - key.len() - 1))
    };
    assert_eq!(with_lines(&line(60_000)), "github.com -");
    assert_eq!(with_lines(&line(LONGEST_LINE)), "github.com -");
    let too_long = "refused: a line is longer than 65535 bytes";
    assert_eq!(with_lines(&line(LONGEST_LINE + 1)), too_long);
    assert_eq!(with_lines(&line(LONGEST_LINE * 3)), too_long);
    let unended = |length| line(length).trim_end().to_owned();
    assert_eq!(with_lines(&unended(LONGEST_LINE)), "github.com -");
    assert_eq!(with_lines(&unended(LONGEST_LINE + 1)), too_long);
    // A split line must not become two (t0300, "not confused by long header").
    let smuggled = format!("wwwauth[]={}host=evil.example\n", "x".repeat(LONGEST_LINE - 10));
    assert_eq!(with_lines(&smuggled), too_long);
}

#[test]
fn rule_7_requests_up_to_1_mib_are_read_and_larger_ones_refused() {
    let request = |size: usize| {
        let start = "protocol=https\nhost=github.com\n";
        let mut request = start.to_owned();
        request.push_str(&"x=y\n".repeat((size - start.len()) / 4));
        while request.len() < size {
            request.insert(start.len() + 2, 'y'); // lengthens the first `x=y`
        }
        request
    };
    assert_eq!(outcome(request(LARGEST_REQUEST)), "github.com -");
    assert_eq!(outcome(request(LARGEST_REQUEST + 1)), "refused: it is larger than 1048576 bytes");
}

#[test]
fn rule_7_an_endless_request_is_given_up_early() {
    struct Endless(&'static [u8], usize);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            for byte in &mut *buffer {
                *byte = self.0[self.1 % self.0.len()];
                self.1 += 1;
            }
            Ok(buffer.len())
        }
    }
    for (pattern, limit) in [(&b"x=y\n"[..], LARGEST_REQUEST), (b"x", LONGEST_LINE), (b"=", LONGEST_LINE)] {
        let mut endless = Endless(pattern, 0);
        assert!(Attributes::read(&mut endless).is_err());
        assert!(endless.1 <= limit + 8192, "read {} bytes", endless.1);
    }
}

#[test]
fn rule_8_unknown_attributes_are_ignored() {
    assert_eq!(with_lines("capability[]=authtype\ncapability[]=\nwwwauth[]=\nquit=1\ncontinue=1\n"), "github.com -");
    // Keys are compared byte for byte: these are unknown, and so neither repeated nor a host.
    assert_eq!(with_lines("Host=a\nhost =b\n host=c\nhost[]=d\n"), "github.com -");
}

#[test]
fn rule_9_protocol_and_host_are_needed_and_never_defaulted() {
    for (request, missing) in [
        ("host=github.com\n", "protocol"),
        ("protocol=\nhost=github.com\n", "protocol"),
        ("protocol=https\n", "host"),
        ("protocol=https\nhost=\n", "host"),
        ("protocol=https\nhost=\r\n", "host"),
        ("protocol=https\nHost=github.com\n", "host"),
        ("protocol=http\n", "host"),
        ("\nprotocol=https\nhost=github.com\n", "protocol"),
    ] {
        let expected = format!("refused: the attribute {missing} is missing or empty");
        assert_eq!(outcome(request), expected, "{request:?}");
    }
}
