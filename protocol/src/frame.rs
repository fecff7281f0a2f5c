//! One message as bytes: a length of four bytes, big-endian, and that much JSON. Knows neither messages nor sockets.

use std::fmt;
use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize, Zeroizing};

/// Largest message. A request is below 16 KiB even with an 8192-bit key in it; the rest is room for listings, which are paged.
pub const MAX_FRAME: usize = 65_536;
/// Length of the length.
pub const HEADER: usize = 4;

/// Why bytes were not a message. Never repeats them: they may hold a token.
#[derive(Debug)]
pub enum FrameError {
    /// The sender announced, or the writer produced, more than [`MAX_FRAME`] bytes.
    TooLarge,
    /// The bytes are not the JSON of such a message; where, but not what.
    Malformed {
        /// Column of the first byte that did not fit (the JSON is one line).
        column: usize,
    },
    /// The stream failed or ended early.
    Io(io::Error),
}

impl fmt::Display for FrameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(formatter, "message larger than {MAX_FRAME} bytes"),
            Self::Malformed { column } => {
                write!(formatter, "malformed message at byte {column}")
            }
            Self::Io(error) => write!(formatter, "{error}"),
        }
    }
}

impl std::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Bytes of JSON that a page of a listing may have: what is left in a frame is more than the rest of an answer needs.
pub const MAX_PAGE: usize = MAX_FRAME - 8192;

/// As many items of a listing as fit into one answer, and whether there are more. The first one is always among them.
pub fn page<T: Serialize>(items: impl IntoIterator<Item = T>) -> (Vec<T>, bool) {
    page_of(MAX_PAGE, items)
}

/// The same where an answer has several lists, each with its part of the bytes.
pub fn page_of<T: Serialize>(bytes: usize, items: impl IntoIterator<Item = T>) -> (Vec<T>, bool) {
    let (mut page, mut size) = (Vec::new(), 0);
    for item in items {
        // What cannot be written fails when the answer is written.
        size += serde_json::to_vec(&item).map_or(0, |json| json.len() + 1);
        if size > bytes && !page.is_empty() {
            return (page, true);
        }
        page.push(item);
    }
    (page, false)
}

/// Turns a message into one buffer, length first, so that it leaves in one write.
pub fn encode<T: Serialize>(message: &T) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(512));
    buffer.extend_from_slice(&[0; HEADER]);
    serde_json::to_writer(Growing(&mut buffer), message)
        .map_err(|error| FrameError::Malformed { column: error.column() })?;
    let length = buffer.len() - HEADER;
    if length > MAX_FRAME {
        return Err(FrameError::TooLarge);
    }
    let length = u32::try_from(length).map_err(|_| FrameError::TooLarge)?;
    buffer[..HEADER].copy_from_slice(&length.to_be_bytes());
    Ok(buffer)
}

/// Appends to a buffer, wiping the old one whenever it has to move: `Vec` alone would leave copies of secrets behind.
struct Growing<'a>(&'a mut Zeroizing<Vec<u8>>);

impl Write for Growing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.capacity() - self.0.len() < bytes.len() {
            let mut larger = Vec::with_capacity((self.0.len() + bytes.len()) * 2);
            larger.extend_from_slice(self.0);
            self.0.zeroize();
            **self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the announced length; refuses it before anything is allocated for it.
pub fn length(header: [u8; HEADER]) -> Result<usize, FrameError> {
    match usize::try_from(u32::from_be_bytes(header)) {
        Ok(length) if length <= MAX_FRAME => Ok(length),
        _ => Err(FrameError::TooLarge),
    }
}

/// Turns the bytes behind the length into a message.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|error| FrameError::Malformed { column: error.column() })
}

/// Reads one message from a blocking stream. The buffer is wiped: answers hold tokens.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read) -> Result<T, FrameError> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let mut body = Zeroizing::new(vec![0; length(header)?]);
    stream.read_exact(&mut body)?;
    decode(&body)
}

#[cfg(test)]
mod tests {
    use super::{FrameError, MAX_FRAME, MAX_PAGE, encode, length, page, page_of, read};

    #[test]
    fn a_page_is_as_large_as_a_frame_takes_whatever_the_items_are() {
        let (small, more) = page((0..50).map(|_| "x".repeat(100)));
        assert_eq!((small.len(), more), (50, false));
        let large: Vec<_> = (0..50).map(|_| "\n".repeat(5000)).collect();
        let (first, more) = page(&large);
        // Written as two characters each.
        assert_eq!((first.len(), more), (MAX_PAGE / 10_003, true));
        encode(&first).unwrap();
        let huge = "x".repeat(2 * MAX_FRAME);
        assert_eq!(page_of(1, [&huge, &huge]), (vec![&huge], true), "a list never comes to nothing");
    }

    #[test]
    fn a_message_is_its_length_and_its_json() {
        let bytes = encode(&serde_json::json!({"a": 1})).unwrap();
        assert_eq!(&bytes[..], b"\0\0\0\x07{\"a\":1}");
        assert_eq!(read::<serde_json::Value>(&mut &bytes[..]).unwrap()["a"], 1);
    }

    #[test]
    fn an_announced_length_above_the_limit_is_refused_before_reading() {
        assert!(matches!(length(u32::MAX.to_be_bytes()), Err(FrameError::TooLarge)));
        let limit = u32::try_from(MAX_FRAME).unwrap();
        assert_eq!(length(limit.to_be_bytes()).unwrap(), MAX_FRAME);
        assert!(length((limit + 1).to_be_bytes()).is_err());
        assert!(matches!(encode(&"x".repeat(MAX_FRAME)), Err(FrameError::TooLarge)));
        assert!(encode(&"x".repeat(MAX_FRAME - 2)).is_ok());
    }

    #[test]
    fn half_a_message_and_garbage_are_errors_that_do_not_repeat_the_bytes() {
        let mut half: &[u8] = b"\0\0\0\x07{\"a\"";
        assert!(matches!(read::<serde_json::Value>(&mut half), Err(FrameError::Io(_))));
        let mut garbage: &[u8] = b"\0\0\0\x0aghs_canary";
        let error = read::<serde_json::Value>(&mut garbage).unwrap_err();
        assert!(!error.to_string().contains("ghs"), "{error}");
        assert!(!format!("{error:?}").contains("ghs"), "{error:?}");
    }
}
