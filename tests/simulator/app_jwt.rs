//! Which callers are accepted as an App, and in which words all others are refused.

use ghapp_tests::github::GitHub;
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Reply, Scene, bearer, claims, sign};

const NOT_DECODED: &str = "A JSON web token could not be decoded";
const EXPIRED: &str = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires";
const TOO_FAR: &str = "'Expiration time' claim ('exp') is too far in the future";
const ISSUED_LATER: &str =
    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
const NO_ISSUER: &str = "'Issuer' claim ('iss') must be an Integer";

/// Calls `GET /app` with correct claims, changed by the test.
fn with_claims(scene: &Scene, change: impl FnOnce(&mut Value, i64)) -> Reply {
    let mut claims = claims(scene.app.app_id);
    change(&mut claims, jiff::Timestamp::now().as_second());
    scene.client.get("/app", &format!("Bearer {}", sign(scene.app.pem(), &claims)))
}

#[test]
fn the_issuer_may_be_the_app_id_as_number_or_text_or_the_client_id() {
    let scene = Scene::new();
    let issuers = [json!(scene.app.app_id), json!(scene.app.app_id.to_string()), json!(scene.app.client_id)];
    for issuer in issuers {
        let reply = with_claims(&scene, |claims, _| claims["iss"] = issuer.clone());
        assert_eq!(reply.status, 200, "{issuer}");
        assert_eq!(reply.json["slug"], "build-bot");
        assert_eq!(reply.json["client_id"], json!(scene.app.client_id));
    }
}

#[test]
fn an_issuer_that_is_nothing_known_is_refused() {
    let scene = Scene::new();
    let refused = |issuer: Value| with_claims(&scene, |claims, _| claims["iss"] = issuer);
    refused(json!("12 ")).refused(401, NO_ISSUER);
    refused(json!(null)).refused(401, NO_ISSUER);
    refused(json!(4)).refused(404, "Integration not found");
    scene.github.accept_client_id(false);
    refused(json!(scene.app.client_id)).refused(401, NO_ISSUER);
}

#[test]
fn the_expiry_is_judged_by_the_servers_clock() {
    let scene = Scene::new();
    let with_exp = |exp: &dyn Fn(i64) -> Value| with_claims(&scene, |claims, now| claims["exp"] = exp(now));
    with_exp(&|now| json!(now - 1)).refused(401, EXPIRED);
    with_exp(&|now| json!((now + 60).to_string())).refused(401, EXPIRED);
    with_exp(&|_| json!(4e9)).refused(401, EXPIRED);
    with_exp(&|_| Value::Null).refused(401, EXPIRED);
    with_exp(&|now| json!(now + 660)).refused(401, TOO_FAR);

    // A host whose clock is slow, then one whose clock is fast.
    scene.github.clock_ahead(SignedDuration::from_mins(10));
    with_exp(&|now| json!(now + 540)).refused(401, EXPIRED);
    scene.github.clock_ahead(SignedDuration::from_mins(-2));
    with_exp(&|now| json!(now + 540)).refused(401, TOO_FAR);
}

#[test]
fn the_time_of_issue_is_a_past_integer() {
    let scene = Scene::new();
    let with_iat = |iat: &dyn Fn(i64) -> Value| with_claims(&scene, |claims, now| claims["iat"] = iat(now));
    with_iat(&|now| json!(now + 60)).refused(401, ISSUED_LATER);
    with_iat(&|now| json!(now.to_string())).refused(401, ISSUED_LATER);
    with_iat(&|_| Value::Null).refused(401, ISSUED_LATER);
}

#[test]
fn the_date_header_tells_the_servers_time() {
    let scene = Scene::new();
    scene.github.clock_ahead(SignedDuration::from_hours(24 * 365));
    let date = scene.get("/app").header("date").to_owned();
    let date = jiff::fmt::rfc2822::parse(&date).expect("an HTTP date is an RFC 2822 date");
    let apart = scene.github.now().duration_since(date.timestamp());
    assert!(apart < SignedDuration::from_mins(2), "{date} is not the server's time");
}

#[test]
fn only_rs256_with_a_key_of_that_app_is_decoded() {
    let scene = Scene::new();
    let stranger = scene.github.create_app("Stranger", "acme");
    let claims = claims(scene.app.app_id);
    let get = |jwt: &str| scene.client.get("/app", &format!("Bearer {jwt}"));

    get(&sign(stranger.pem(), &claims)).refused(401, NOT_DECODED);
    let shared = EncodingKey::from_secret(b"secret");
    let hs256 = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &shared).unwrap();
    get(&hs256).refused(401, NOT_DECODED);
    let rsa = EncodingKey::from_rsa_pem(scene.app.pem().as_bytes()).unwrap();
    let rs512 = jsonwebtoken::encode(&Header::new(Algorithm::RS512), &claims, &rsa).unwrap();
    get(&rs512).refused(401, NOT_DECODED);
    get("garbage").refused(401, NOT_DECODED);
    get(&scene.token()).refused(401, NOT_DECODED);

    let jwt = sign(scene.app.pem(), &claims);
    scene.client.get("/app", &format!("token {jwt}")).refused(401, NOT_DECODED);
    assert_eq!(scene.client.get("/app", &format!("bearer {jwt}")).status, 200);
}

#[test]
fn keys_overlap_until_the_old_one_is_removed() {
    let scene = Scene::new();
    let new_pem = scene.github.add_key(&scene.app);
    let with_new = format!("Bearer {}", sign(&new_pem, &claims(scene.app.app_id)));
    assert_eq!(scene.get("/app").status, 200);
    assert_eq!(scene.client.get("/app", &with_new).status, 200);

    scene.github.remove_key(&scene.app, scene.app.pem());
    scene.get("/app").refused(401, NOT_DECODED);
    assert_eq!(scene.client.get("/app", &with_new).status, 200);

    scene.github.remove_key(&scene.app, &new_pem);
    scene.get("/app").refused(401, "Integration must generate a public key");
}

#[test]
fn the_key_is_handed_out_as_pkcs1() {
    let scene = Scene::new();
    let pem = scene.app.pem();
    assert!(pem.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert!(pem.ends_with("\n-----END RSA PRIVATE KEY-----\n"));
    assert!(pem.lines().all(|line| line.len() <= 64));
    assert!(scene.app.fingerprint().starts_with("SHA256:"));
    assert!(scene.app.client_id.starts_with("Iv23li"));
    assert_eq!(scene.app.client_id.len(), 20);
}

#[test]
fn every_call_needs_a_user_agent_a_known_version_and_no_trailing_slash() {
    let github = GitHub::start();
    let app = github.create_app("Build Bot", "acme");
    let reply = Client::without_user_agent(&github).get("/app", &bearer(&app));
    assert_eq!(reply.status, 403);
    let text = reply.json.as_str().expect("plain text");
    assert!(text.starts_with("Request forbidden by administrative rules."), "{text}");

    let client = Client::new(&github);
    let with_version = |version: &str| {
        let authorization = bearer(&app);
        let headers = [("authorization", authorization.as_str()), ("x-github-api-version", version)];
        client.try_call(Method::GET, "/app", &headers, "").expect("the simulator answers")
    };
    assert_eq!(with_version("2026-03-10").header("x-github-api-version-selected"), "2026-03-10");
    assert_eq!(with_version("2021-01-01").status, 400);
    assert_eq!(client.get("/app", &bearer(&app)).header("x-github-api-version-selected"), "2022-11-28");
    client.get("/app/", &bearer(&app)).refused(404, "Not Found");
}
