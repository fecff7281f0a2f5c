//! A key in the form in which a store holds it: a tag with a version, and the PKCS#1 DER, as bytes or as base64.
//!
//! The tag will say what the bytes are when the form changes one day, and tells our entries from others of the same name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::StoreError;
use crate::model::PrivateKey;

/// What a store can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Any bytes.
    Bytes,
    /// Text only, as `KWallet` does behind the Secret Service.
    #[cfg(any(test, not(any(target_os = "macos", windows))))]
    Text,
}

/// What the keyrings of this system can hold.
#[cfg(any(target_os = "macos", windows))]
pub(super) const OF_KEYRINGS: Form = Form::Bytes;
#[cfg(not(any(target_os = "macos", windows)))]
pub(super) const OF_KEYRINGS: Form = Form::Text;

/// Version 1: PKCS#1 DER follows as it is.
const DER: &[u8] = b"ghapp:1:der:";
/// Version 1: base64 of PKCS#1 DER follows.
const BASE64: &[u8] = b"ghapp:1:b64:";

/// The bytes to store.
pub(super) fn encode(key: &PrivateKey, form: Form) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(DER.len() + key.expose().len() * 2));
    match form {
        #[cfg(any(test, not(any(target_os = "macos", windows))))]
        Form::Text => {
            let text = Zeroizing::new(STANDARD.encode(key.expose()));
            bytes.extend_from_slice(BASE64);
            bytes.extend_from_slice(text.as_bytes());
        }
        Form::Bytes => {
            bytes.extend_from_slice(DER);
            bytes.extend_from_slice(key.expose());
        }
    }
    bytes
}

/// The key in stored bytes. Whether it is a working key is for the signer to say.
pub(super) fn decode(bytes: &[u8]) -> Result<PrivateKey, StoreError> {
    let foreign = || StoreError::Refused("the entry was not written by ghapp".to_owned());
    let der = if let Some(der) = bytes.strip_prefix(DER) {
        Zeroizing::new(der.to_vec())
    } else {
        let text = bytes.strip_prefix(BASE64).ok_or_else(foreign)?;
        Zeroizing::new(STANDARD.decode(text).map_err(|_| foreign())?)
    };
    Ok(PrivateKey::from_der(der))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{Form, decode, encode};
    use crate::model::PrivateKey;

    #[test]
    fn what_is_stored_is_read_back_and_anything_else_is_refused() {
        let key = PrivateKey::from_der(Zeroizing::new(vec![0x30, 0, 0xff, 10]));
        for form in [Form::Bytes, Form::Text] {
            assert_eq!(decode(&encode(&key, form)).unwrap().expose(), key.expose());
        }
        assert!(encode(&key, Form::Text).is_ascii());
        assert!(decode(b"hunter2").is_err());
        assert!(decode(b"").is_err());
    }
}
