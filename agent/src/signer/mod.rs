//! Reads private keys, names them by their fingerprints, and signs app JWTs with them. Owns jsonwebtoken and aws-lc-rs.

mod import;
mod jwt;

pub use import::{ImportError, fingerprint, from_pem};
pub(crate) use import::{from_der, from_file};
pub(crate) use jwt::sign;
