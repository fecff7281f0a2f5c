//! What must not be found where it does not belong: the private key, tokens and app JWTs of a desk, in every form they take.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Desk;

/// Where the public part of an RSA-2048 key in PKCS#1 DER form ends: a header, the version, the modulus and the exponent.
const PRIVATE_FROM: usize = 4 + 3 + (4 + 257) + 5 + 4;
/// A piece of a key or token of this length is not found by accident.
const PIECE: usize = 24;

/// Bytes to look for, each with the name of the secret that they are part of.
pub struct Secrets {
    pieces: Vec<(&'static str, Vec<u8>)>,
    /// By the first two bytes, so that most places are passed over at once.
    begins: Vec<bool>,
}

impl Secrets {
    /// All secrets of a desk so far.
    pub fn of(desk: &Desk) -> Secrets {
        let mut pieces = pieces_of_key(desk.app.pem());
        for mint in desk.github.mints() {
            // The end, where no two tokens are alike; and the form that the git server gets.
            pieces.push(("token", mint.token.as_bytes()[mint.token.len() - PIECE..].to_vec()));
            let basic = STANDARD.encode(format!("x-access-token:{}", mint.token));
            pieces.push(("token", basic.as_bytes()[basic.len() - PIECE - 8..basic.len() - 8].to_vec()));
        }
        for jwt in desk.github.jwts() {
            pieces.push(("JWT", jwt.as_bytes()[jwt.len() - PIECE..].to_vec()));
        }
        Secrets::of_pieces(pieces)
    }

    /// One private key.
    pub fn of_key(pem: &str) -> Secrets {
        Secrets::of_pieces(pieces_of_key(pem))
    }

    fn of_pieces(pieces: Vec<(&'static str, Vec<u8>)>) -> Secrets {
        Secrets { pieces: Vec::new(), begins: vec![false; 1 << 16] }.with(pieces)
    }

    /// With one more, of a length that is not found by accident.
    #[must_use]
    pub fn and(self, name: &'static str, secret: &str) -> Secrets {
        let bytes = secret.as_bytes();
        self.with([(name, bytes[..PIECE].to_vec()), (name, bytes[bytes.len() - PIECE..].to_vec())])
    }

    fn with(mut self, pieces: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Secrets {
        for (name, piece) in pieces {
            self.begins[begin(piece[0], piece[1])] = true;
            self.pieces.push((name, piece));
        }
        self
    }

    /// How many places in these bytes hold a piece of a secret, by its name.
    pub fn found_in(&self, bytes: &[u8]) -> BTreeMap<&'static str, usize> {
        let mut found = BTreeMap::new();
        for (at, pair) in bytes.windows(2).enumerate() {
            if !self.begins[begin(pair[0], pair[1])] {
                continue;
            }
            for (name, _) in self.pieces.iter().filter(|(_, piece)| bytes[at..].starts_with(piece)) {
                *found.entry(*name).or_default() += 1;
            }
        }
        found
    }
}

fn pieces_of_key(pem: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut pieces = Vec::new();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(&base64).expect("the simulator writes PEM");
    for piece in der[PRIVATE_FROM..].chunks_exact(PIECE).step_by(2) {
        pieces.push(("key", piece.to_vec()));
        // As a number in memory, lowest byte first.
        pieces.push(("key", piece.iter().rev().copied().collect()));
    }
    for piece in base64.as_bytes()[PRIVATE_FROM * 4 / 3 + 4..].chunks_exact(2 * PIECE) {
        pieces.push(("key", piece.to_vec()));
    }
    pieces
}

fn begin(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}
