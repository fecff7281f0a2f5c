//! Mutations of seeds, as fuzzers make them, from a generator that always begins the same.

/// What parsers trip over.
const WORDS: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"=",
    b"\n\n",
    b"host=",
    b"path=",
    b"protocol=https\n",
    b"url=https://",
    b"[]=",
    b"/",
    b"..",
    b".git",
    b":443",
    b"@",
    b"%0a",
    b"\xe2\x80\xa8",
    b"\xff",
    b"\"",
    b"{",
    b"}",
    b",",
    b"null",
    b"-1",
    b"1e9",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\xff\xff\xff\xff",
    b"\0\x01\0\0",
    b"\0\x01\0\x01",
];
/// Longest input: larger than a line and a frame may be, and small enough to be quick.
const LONGEST: usize = 70_000;

/// Makes new inputs of old ones.
pub(crate) struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(seeds: &'a [Vec<u8>]) -> Self {
        Self { seeds, state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// A seed with one to eight changes.
    pub(crate) fn mutate(&mut self) -> Vec<u8> {
        let mut bytes = self.seed().to_vec();
        for _ in 0..=self.below(8) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let until = (at + self.below(16)).min(bytes.len());
        match self.below(8) {
            0 => drop(bytes.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied())),
            1 => drop(bytes.splice(at..until, WORDS[self.below(WORDS.len())].iter().copied())),
            2 => drop(bytes.drain(at..until)),
            3 => bytes.truncate(at),
            4 => {
                // Something is there twice.
                let part = bytes[at..until].to_vec();
                bytes.splice(at..at, part);
            }
            5 => {
                // The end of another seed.
                let other = self.seed();
                let from = self.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            6 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = self.next().to_be_bytes()[0];
                }
            }
        }
    }

    fn seed(&mut self) -> &'a [u8] {
        &self.seeds[self.below(self.seeds.len())]
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("lengths are small");
        usize::try_from(self.next() % limit).expect("it is less than a length")
    }

    /// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators").
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
