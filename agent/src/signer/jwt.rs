//! The app JWT: a proof, good for ten minutes, that we hold an App's private key.

use ghapp_protocol::secret::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::model::{AppJwt, Issuer, PrivateKey};

/// How far `iat` lies in the past. GitHub docs, "Generating a JSON Web Token (JWT) for a GitHub App": "to protect against clock
/// drift, we recommend that you set this 60 seconds in the past".
const BACKDATED: i64 = 60;
/// How far `exp` lies in the future. GitHub takes at most 600 s by its own clock; the rest is room for a clock that is ahead.
const LIFETIME: i64 = 540;

/// The key could not sign, or there is no App to sign for. The reason is left out: it may quote key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key cannot sign")]
pub(crate) struct SignError;

/// The claims that GitHub reads; integers, since it refuses fractions of a second.
#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
}

/// Signs an app JWT for use at `server_now`, the time by GitHub's clock.
pub(crate) fn sign(key: &PrivateKey, issuer: &Issuer, server_now: i64) -> Result<AppJwt, SignError> {
    if *issuer == Issuer::Unnamed {
        return Err(SignError);
    }
    let expires_at = server_now.saturating_add(LIFETIME);
    let claims = Claims { iat: server_now.saturating_sub(BACKDATED), exp: expires_at, iss: &issuer.to_string() };
    let key = EncodingKey::from_rsa_der(key.expose());
    let jwt = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key);
    Ok(AppJwt { secret: Secret::new(jwt.map_err(|_| SignError)?), expires_at })
}
