//! A small client of the REST API: every call returns status, headers and JSON, and nothing is retried or followed.

use ghapp_tests::github::{App, GitHub, Selection};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Method, StatusCode, redirect};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

pub(crate) struct Client {
    runtime: Runtime,
    http: reqwest::Client,
    api_url: String,
}

/// An answer of the API.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Reply {
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, message: &str) {
        let got = (self.status.as_u16(), self.json["message"].as_str().unwrap_or_default());
        assert_eq!(got, (status, message));
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no header {name}"));
        value.to_str().expect("a header is text")
    }
}

impl Client {
    pub(crate) fn new(github: &GitHub) -> Client {
        Client::built(github, reqwest::Client::builder().user_agent("simulator-test"))
    }

    pub(crate) fn without_user_agent(github: &GitHub) -> Client {
        Client::built(github, reqwest::Client::builder())
    }

    fn built(github: &GitHub, builder: reqwest::ClientBuilder) -> Client {
        let ca = std::fs::read(github.ca_file()).expect("the CA is there");
        let ca = Certificate::from_pem(&ca).expect("the CA is a certificate");
        let http = builder
            .tls_certs_only([ca])
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()
            .expect("the client is configured correctly");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        Client { runtime, http, api_url: github.api_url() }
    }

    pub(crate) fn get(&self, path: &str, authorization: &str) -> Reply {
        self.try_call(Method::GET, path, &[("authorization", authorization)], "").expect("the simulator answers")
    }

    /// The same without an `Authorization` header.
    pub(crate) fn get_as_a_stranger(&self, path: &str) -> Reply {
        self.try_call(Method::GET, path, &[], "").expect("the simulator answers")
    }

    pub(crate) fn delete(&self, path: &str, authorization: &str) -> Reply {
        self.try_call(Method::DELETE, path, &[("authorization", authorization)], "").expect("the simulator answers")
    }

    /// Mints with a fresh JWT.
    pub(crate) fn mint(&self, app: &App, installation: u64, body: &Value) -> Reply {
        self.mint_raw(app, installation, &body.to_string())
    }

    pub(crate) fn mint_raw(&self, app: &App, installation: u64, body: &str) -> Reply {
        let path = format!("/app/installations/{installation}/access_tokens");
        self.try_call(Method::POST, &path, &[("authorization", &bearer(app))], body).expect("the simulator answers")
    }

    /// Mints a token for everything the installation has.
    pub(crate) fn token(&self, app: &App, installation: u64) -> String {
        let reply = self.mint_raw(app, installation, "");
        reply.json["token"].as_str().expect("a mint answers with a token").to_owned()
    }

    /// Posts a form to a page, as a browser does, and follows no redirect.
    pub(crate) fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let host = self.api_url.strip_suffix("/api/v3").expect("the API is below the host");
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.runtime.block_on(async {
            let reply = self.http.post(format!("{host}{path}")).body(form).send().await.expect("the simulator answers");
            let (status, headers) = (reply.status(), reply.headers().clone());
            Reply { status, headers, json: Value::String(reply.text().await.expect("it is text")) }
        })
    }

    /// Calls and lets the connection fail.
    pub(crate) fn try_call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> reqwest::Result<Reply> {
        self.runtime.block_on(async {
            let mut request = self.http.request(method, format!("{}{path}", self.api_url));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let reply = request.body(body.to_owned()).send().await?;
            let (status, headers) = (reply.status(), reply.headers().clone());
            let text = reply.text().await?;
            let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
            Ok(Reply { status, headers, json })
        })
    }
}

/// The claims a correct client sends at the machine's time.
pub(crate) fn claims(issuer: impl Into<Value>) -> Value {
    let now = jiff::Timestamp::now().as_second();
    json!({ "iat": now - 60, "exp": now + 540, "iss": issuer.into() })
}

pub(crate) fn sign(pem: &str, claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).expect("the PEM is an RSA key");
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &key).expect("the key can sign")
}

/// The `Authorization` of an App that does everything right.
pub(crate) fn bearer(app: &App) -> String {
    format!("Bearer {}", sign(app.pem(), &claims(app.client_id.as_str())))
}

/// An App installed on `acme` with `acme/web` and `acme/api`, and a client.
pub(crate) struct Scene {
    pub(crate) github: GitHub,
    pub(crate) app: App,
    pub(crate) installation: u64,
    pub(crate) client: Client,
}

impl Scene {
    /// Installs on all repositories with `contents: write`.
    pub(crate) fn new() -> Scene {
        Scene::with(Selection::All, &[("contents", "write")])
    }

    pub(crate) fn with(selection: Selection, permissions: &[(&str, &str)]) -> Scene {
        let github = GitHub::start();
        github.create_repository("acme/web");
        github.create_repository("acme/api");
        let app = github.create_app("Build Bot", "acme");
        let installation = github.install(&app, "acme", selection, permissions);
        let client = Client::new(&github);
        Scene { github, app, installation, client }
    }

    pub(crate) fn token(&self) -> String {
        self.client.token(&self.app, self.installation)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.client.get(path, &bearer(&self.app))
    }
}
