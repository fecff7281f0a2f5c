//! Reads private keys in all the forms that people have them in.

use std::fmt::Write as _;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::EncodingKey;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::model::{Fingerprint, PrivateKey};

/// Shortest RSA key that is used. GitHub's own have 2048 bits.
const MIN_BITS: usize = 2048;
/// What DER of a key begins with (X.690, section 8.9).
const DER_SEQUENCE: u8 = 0x30;
/// Length of a line of base64 in a PEM (RFC 7468, section 2).
const PEM_LINE: usize = 64;

/// Why a text is not an App's private key. Never repeats any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No PEM block, not even behind escapes or base64.
    #[error("it is not a PEM private key")]
    NotPem,
    /// A public key.
    #[error("it is a public key, not the private one")]
    PublicKey,
    /// A certificate.
    #[error("it is a certificate, not a private key")]
    Certificate,
    /// Protected by a passphrase.
    #[error("the private key is encrypted")]
    Encrypted,
    /// OpenSSH's own format.
    #[error("it is a private key in OpenSSH's format")]
    OpenSsh,
    /// An elliptic-curve or other key.
    #[error("it is not an RSA key; GitHub Apps have RSA keys")]
    NotRsa,
    /// Too short to be accepted.
    #[error("the RSA key is shorter than {MIN_BITS} bits")]
    TooShort,
    /// The right label around something else.
    #[error("the PEM block is damaged")]
    Damaged,
}

impl ImportError {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Encrypted => "decrypt it first: openssl pkcs8 -in FILE -out app.pem",
            Self::OpenSsh => "convert a copy of it: ssh-keygen -p -N '' -m PEM -f COPY",
            _ => "give the .pem file that GitHub downloaded: App settings, Private keys, Generate a private key",
        }
    }
}

/// Reads a private key from a file's bytes: PKCS#1 or PKCS#8 PEM, with LF or CRLF, with literal `\n` as environment variables
/// have it, or base64 of such a PEM as CI secrets have it.
pub fn from_pem(bytes: &[u8]) -> Result<PrivateKey, ImportError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ImportError::NotPem)?;
    let text = text.trim_start_matches('\u{feff}');
    if text.contains("-----BEGIN ") {
        return from_pem_text(text);
    }
    // Not PEM as it stands: perhaps base64 of one, possibly wrapped or quoted.
    let compact: Zeroizing<String> =
        Zeroizing::new(text.chars().filter(|char| !char.is_whitespace() && *char != '"').collect());
    let decoded = STANDARD.decode(compact.as_bytes()).map(Zeroizing::new);
    let decoded = decoded.map_err(|_| ImportError::NotPem)?;
    match std::str::from_utf8(&decoded) {
        Ok(text) if text.contains("-----BEGIN ") => from_pem_text(text),
        _ => Err(ImportError::NotPem),
    }
}

fn from_pem_text(text: &str) -> Result<PrivateKey, ImportError> {
    // "\n" written out, as in `export KEY="-----BEGIN...\n..."`; a backslash cannot be part of PEM.
    let text = Zeroizing::new(text.replace("\\r", "").replace("\\n", "\n"));
    let begin = text.find("-----BEGIN ").ok_or(ImportError::NotPem)?;
    let after = &text[begin + "-----BEGIN ".len()..];
    let (label, after) = after.split_once("-----").ok_or(ImportError::Damaged)?;
    match label {
        "RSA PRIVATE KEY" | "PRIVATE KEY" => {}
        "ENCRYPTED PRIVATE KEY" => return Err(ImportError::Encrypted),
        "OPENSSH PRIVATE KEY" => return Err(ImportError::OpenSsh),
        "CERTIFICATE" | "CERTIFICATE REQUEST" => return Err(ImportError::Certificate),
        _ if label.ends_with("PUBLIC KEY") => return Err(ImportError::PublicKey),
        _ if label.ends_with("PRIVATE KEY") => return Err(ImportError::NotRsa),
        _ => return Err(ImportError::NotPem),
    }
    let end = format!("-----END {label}-----");
    let (body, _) = after.split_once(end.as_str()).ok_or(ImportError::Damaged)?;
    if body.contains("Proc-Type:") && body.contains("ENCRYPTED") {
        return Err(ImportError::Encrypted); // the old OpenSSL form (RFC 1421 headers)
    }
    let pem = canonical_pem(label, body);
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| match label {
        // PKCS#8 holds any kind of key.
        "PRIVATE KEY" => ImportError::NotRsa,
        _ => ImportError::Damaged,
    })?;
    from_der(Zeroizing::new(key.as_bytes().to_vec()))
}

/// Writes the block again, so that indentation, missing line breaks and spaces for line breaks do no harm.
fn canonical_pem(label: &str, body: &str) -> Zeroizing<String> {
    let base64: Zeroizing<Vec<u8>> = Zeroizing::new(body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    let mut pem = Zeroizing::new(String::with_capacity(base64.len() * 2 + 2 * label.len() + 64));
    // Writing to a String cannot fail.
    let _ = writeln!(pem, "-----BEGIN {label}-----");
    for line in base64.chunks(PEM_LINE) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    let _ = writeln!(pem, "-----END {label}-----");
    pem
}

/// Reads a private key from a file that came from elsewhere: everything that [`from_pem`] takes, or DER, PKCS#1 or PKCS#8.
pub(crate) fn from_file(bytes: &[u8]) -> Result<PrivateKey, ImportError> {
    // DER begins with a sequence; no text that `from_pem` takes begins with that digit.
    if bytes.first() != Some(&DER_SEQUENCE) {
        return from_pem(bytes);
    }
    match from_der(Zeroizing::new(bytes.to_vec())) {
        Err(ImportError::Damaged) => {
            let base64 = Zeroizing::new(STANDARD.encode(bytes));
            let key = EncodingKey::from_rsa_pem(canonical_pem("PRIVATE KEY", &base64).as_bytes());
            from_der(Zeroizing::new(key.map_err(|_| ImportError::NotRsa)?.as_bytes().to_vec()))
        }
        outcome => outcome,
    }
}

/// Reads a private key from its PKCS#1 DER form, the form in which it is stored.
pub(crate) fn from_der(der: Zeroizing<Vec<u8>>) -> Result<PrivateKey, ImportError> {
    let pair = KeyPair::from_der(&der).map_err(|error| match error.to_string().as_str() {
        "TooSmall" => ImportError::TooShort,
        _ => ImportError::Damaged,
    })?;
    if pair.public_modulus_len() * 8 < MIN_BITS {
        return Err(ImportError::TooShort);
    }
    Ok(PrivateKey::from_der(der))
}

/// The key's fingerprint as GitHub shows it: SHA-256 over the DER of the public key.
///
/// Equivalent to `openssl rsa -in KEY -pubout -outform DER | openssl sha256 -binary | openssl base64`.
pub fn fingerprint(key: &PrivateKey) -> Result<Fingerprint, ImportError> {
    let pair = KeyPair::from_der(key.expose()).map_err(|_| ImportError::Damaged)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| ImportError::Damaged)?;
    Ok(Fingerprint::from_base64(&STANDARD.encode(Sha256::digest(public.as_ref()))))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::{ImportError, fingerprint, from_der, from_file, from_pem};

    /// Where the PKCS#1 key begins inside a PKCS#8 one: behind a sequence, a version and an algorithm (RFC 5208).
    const PKCS1_IN_PKCS8: usize = 26;

    fn pem(label: &str, der: &[u8]) -> String {
        let base64 = STANDARD.encode(der);
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    /// A new key in PKCS#8 DER form. Keys are made at run time: none is committed.
    fn new_key(size: KeySize) -> Vec<u8> {
        let der: Pkcs8V1Der<'_> = KeyPair::generate(size).unwrap().as_der().unwrap();
        der.as_ref().to_vec()
    }

    #[test]
    fn every_form_that_people_have_is_the_same_key() {
        let der = new_key(KeySize::Rsa2048);
        let text = pem("RSA PRIVATE KEY", &der[PKCS1_IN_PKCS8..]);
        let (pkcs1, pkcs8) = (text.clone().into_bytes(), pem("PRIVATE KEY", &der).into_bytes());
        let expected = fingerprint(&from_pem(&pkcs1).unwrap()).unwrap();
        let forms: Vec<Vec<u8>> = vec![
            pkcs8.clone(),
            text.replace('\n', "\r\n").into_bytes(),
            text.replace('\n', "\\n").into_bytes(),
            text.replace('\n', " ").into_bytes(),
            format!("  {}", text.replace('\n', "\n  ")).into_bytes(),
            format!("\u{feff}{text}").into_bytes(),
            format!("comment before\n{text}\ncomment behind\n").into_bytes(),
            STANDARD.encode(&pkcs1).into_bytes(),
            STANDARD.encode(&pkcs8).into_bytes(),
            format!("\"{}\"", STANDARD.encode(text.replace('\n', "\r\n"))).into_bytes(),
        ];
        for (index, form) in forms.iter().enumerate() {
            let key = from_pem(form).unwrap_or_else(|error| panic!("form {index}: {error}"));
            assert_eq!(fingerprint(&key).unwrap(), expected, "form {index}");
        }
    }

    #[test]
    fn a_credential_may_be_text_or_der() {
        let der = new_key(KeySize::Rsa2048);
        let (pkcs1, text) = (&der[PKCS1_IN_PKCS8..], pem("PRIVATE KEY", &der));
        let expected = fingerprint(&from_pem(text.as_bytes()).unwrap()).unwrap();
        for file in [text.as_bytes(), STANDARD.encode(&text).as_bytes(), &der, pkcs1] {
            assert_eq!(fingerprint(&from_file(file).unwrap()).unwrap(), expected);
        }
        let curve = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap().to_pkcs8v1().unwrap();
        assert_eq!(from_file(curve.as_ref()).unwrap_err(), ImportError::NotRsa);
        assert_eq!(from_file(b"").unwrap_err(), ImportError::NotPem);
        assert_eq!(from_file(b"0").unwrap_err(), ImportError::NotRsa);
    }

    #[test]
    fn the_fingerprint_is_the_hash_of_the_public_key() {
        let der = new_key(KeySize::Rsa2048);
        let key = from_der(der[PKCS1_IN_PKCS8..].to_vec().into()).unwrap();
        // SubjectPublicKeyInfo, written out: an RSA key's algorithm, then a bit string with modulus and exponent (RFC 8017).
        let pair = KeyPair::from_pkcs8(&der).unwrap();
        let public = aws_lc_rs::signature::KeyPair::public_key(&pair);
        let mut expected = vec![0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09];
        expected.extend([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00]);
        expected.extend([0x03, 0x82, 0x01, 0x0f, 0x00]);
        expected.extend_from_slice(public.as_ref());
        assert_eq!(
            fingerprint(&key).unwrap().as_str(),
            format!("SHA256:{}", STANDARD.encode(Sha256::digest(expected)))
        );
    }

    #[test]
    fn every_wrong_file_is_named() {
        let der = new_key(KeySize::Rsa2048);
        let pkcs1 = &der[PKCS1_IN_PKCS8..];
        let right = pem("RSA PRIVATE KEY", pkcs1);
        let old_encrypted = right.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1);
        let curve = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap().to_pkcs8v1().unwrap();
        let half = right[..right.len() / 2].to_owned();
        let mut garbled = pkcs1.to_vec();
        garbled[200] ^= 1;
        for (file, expected) in [
            (pem("PUBLIC KEY", b"x"), ImportError::PublicKey),
            (pem("RSA PUBLIC KEY", b"x"), ImportError::PublicKey),
            (pem("ENCRYPTED PRIVATE KEY", b"x"), ImportError::Encrypted),
            (old_encrypted, ImportError::Encrypted),
            (pem("EC PRIVATE KEY", b"x"), ImportError::NotRsa),
            (pem("PRIVATE KEY", curve.as_ref()), ImportError::NotRsa),
            (pem("CERTIFICATE", b"x"), ImportError::Certificate),
            (pem("OPENSSH PRIVATE KEY", b"x"), ImportError::OpenSsh),
            (half, ImportError::Damaged),
            (pem("RSA PRIVATE KEY", &garbled), ImportError::Damaged),
            ("ssh-rsa AAAA someone@somewhere".to_owned(), ImportError::NotPem),
            (String::new(), ImportError::NotPem),
        ] {
            assert_eq!(from_pem(file.as_bytes()).unwrap_err(), expected, "{expected:?}");
        }
        assert_eq!(from_pem(&[0xff, 0xfe, 0]).unwrap_err(), ImportError::NotPem);
    }

    #[test]
    fn a_4096_bit_key_fits_into_the_smallest_keyring() {
        let der = new_key(KeySize::Rsa4096);
        let key = from_der(der[PKCS1_IN_PKCS8..].to_vec().into()).unwrap();
        assert!(key.expose().len() <= 2560, "{} bytes", key.expose().len());
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
    }
}
