//! Verifies app JWTs, with the words GitHub has for each way to get them wrong.
//!
//! <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::Value;

use super::answer::Refusal;
use super::app::RegisteredApp;
use super::model::State;

/// "The expiration time of the JWT [..] must be no more than 10 minutes into the future": by GitHub's clock.
const LONGEST_FUTURE: i64 = 600;

const NOT_DECODED: &str = "A JSON web token could not be decoded";
const EXPIRED: &str = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires";
const TOO_FAR: &str = "'Expiration time' claim ('exp') is too far in the future";
const ISSUED_LATER: &str =
    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
const NO_ISSUER: &str = "'Issuer' claim ('iss') must be an Integer";
const NO_KEY: &str = "Integration must generate a public key";
const UNKNOWN_APP: &str = "Integration not found";

/// Returns the App that signed the request's JWT.
pub(super) fn app<'a>(state: &'a State, headers: &HeaderMap) -> Result<&'a RegisteredApp, Refusal> {
    // "If you are passing a JSON web token (JWT), you must use Authorization: Bearer": `token` will not do.
    let jwt = authorization(headers)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, credential)| Jwt::parse(credential))
        .ok_or_else(|| unauthorized(NOT_DECODED))?;

    let app = issuer(state, jwt.claims.get("iss"))?;
    if app.public_keys.is_empty() {
        return Err(unauthorized(NO_KEY));
    }
    if !app.public_keys.iter().any(|key| jwt.is_signed_by(&key.0)) {
        return Err(unauthorized(NOT_DECODED));
    }

    let now = state.now().as_second();
    // `as_i64` is none for `1.5e9` and for strings: GitHub takes integers only.
    match jwt.claims.get("exp").and_then(Value::as_i64) {
        Some(exp) if exp > now + LONGEST_FUTURE => return Err(unauthorized(TOO_FAR)),
        Some(exp) if exp > now => {}
        _ => return Err(unauthorized(EXPIRED)),
    }
    match jwt.claims.get("iat").and_then(Value::as_i64) {
        Some(iat) if iat <= now => Ok(app),
        _ => Err(unauthorized(ISSUED_LATER)),
    }
}

/// Splits `Authorization` into scheme and credential.
pub(super) fn authorization(headers: &HeaderMap) -> Option<(&str, &str)> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')
}

/// Whether a credential is an app JWT by its looks: base64 of `{"` begins it, and it has three parts.
pub(super) fn looks_like_jwt(credential: &str) -> bool {
    credential.starts_with("eyJ") && credential.split('.').count() == 3
}

fn issuer<'a>(state: &'a State, iss: Option<&Value>) -> Result<&'a RegisteredApp, Refusal> {
    let id = match iss {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => {
            let by_client_id = state.apps.values().find(|app| app.client_id == *text);
            if let Some(app) = by_client_id.filter(|_| state.accepts_client_id) {
                return Ok(app);
            }
            text.parse().ok()
        }
        _ => None,
    };
    let id = id.ok_or_else(|| unauthorized(NO_ISSUER))?;
    state.apps.get(&id).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, UNKNOWN_APP))
}

fn unauthorized(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, message)
}

/// A JWT taken apart, not yet verified.
struct Jwt<'a> {
    signed: &'a str,
    signature: &'a str,
    claims: Value,
}

impl Jwt<'_> {
    fn parse(token: &str) -> Option<Jwt<'_>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
        // Any other algorithm is refused before a key is looked at: `none` and HS256 are the classic forgeries.
        if json(header)?.get("alg")? != "RS256" {
            return None;
        }
        Some(Jwt { signed, signature, claims: json(claims)? })
    }

    fn is_signed_by(&self, public_key: &[u8]) -> bool {
        let key = DecodingKey::from_rsa_der(public_key);
        crypto::verify(self.signature, self.signed.as_bytes(), &key, Algorithm::RS256).unwrap_or(false)
    }
}
