//! A browser that reads forms, presses buttons and follows no redirect by itself.

use ghapp_tests::GitHub;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Certificate, Method, StatusCode, redirect};
use tokio::runtime::{Builder, Runtime};
use url::{Url, form_urlencoded};

pub(crate) struct Browser {
    runtime: Runtime,
    http: reqwest::Client,
}

/// The page that it sees.
pub(crate) struct Page {
    url: Url,
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    location: Option<String>,
}

impl Browser {
    /// One that trusts this GitHub.
    pub(crate) fn new(github: &GitHub) -> Browser {
        let ca = Certificate::from_pem(&std::fs::read(github.ca_file()).expect("it is there")).expect("it is PEM");
        let http = reqwest::Client::builder()
            .user_agent("a browser")
            .tls_certs_only([ca])
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()
            .expect("the client is configured correctly");
        Browser { runtime: Builder::new_current_thread().enable_all().build().expect("a runtime starts"), http }
    }

    pub(crate) fn get(&self, url: &str) -> Page {
        self.request(Method::GET, url, None).expect("the page answers")
    }

    /// The same for a page that may be gone.
    pub(crate) fn try_get(&self, url: &str) -> reqwest::Result<Page> {
        self.request(Method::GET, url, None)
    }

    /// Posts nothing, as a thief who saw a code would.
    pub(crate) fn post(&self, url: &str) -> String {
        self.request(Method::POST, url, Some(String::new())).expect("the page answers").text
    }

    /// Sends the page's form with what stands in its fields.
    pub(crate) fn submit(&self, page: &Page) -> Page {
        let action = page.attribute("<form ", "action");
        let target = page.url.join(&action).expect("a form leads somewhere");
        let mut form = form_urlencoded::Serializer::new(String::new());
        for field in page.text.match_indices("<input ").map(|(at, _)| &page.text[at..]) {
            form.append_pair(&attribute(field, "name"), &attribute(field, "value"));
        }
        self.request(Method::POST, target.as_str(), Some(form.finish())).expect("the page answers")
    }

    /// Walks from the start page to the place that GitHub sends the browser back to, and does not go there.
    pub(crate) fn register(&self, start: &str) -> String {
        let page = self.get(start);
        assert_eq!(page.status, 200, "{}", page.text);
        let github = self.submit(&page);
        assert_eq!(github.status, 200, "{}", github.text);
        let back = self.submit(&github);
        assert_eq!(back.status, 302, "{}", back.text);
        back.location.expect("it leads back")
    }

    fn request(&self, method: Method, url: &str, form: Option<String>) -> reqwest::Result<Page> {
        self.runtime.block_on(async {
            let mut request = self.http.request(method, url);
            if let Some(form) = form {
                request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
            }
            let reply = request.send().await?;
            let location = reply.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let (status, url) = (reply.status(), reply.url().clone());
            Ok(Page { url, status, text: reply.text().await?, location })
        })
    }
}

impl Page {
    /// An attribute of the first tag of its kind.
    pub(crate) fn attribute(&self, tag: &str, name: &str) -> String {
        let at = self.text.find(tag).unwrap_or_else(|| panic!("no {tag} in {}", self.text));
        attribute(&self.text[at..], name)
    }
}

fn attribute(tag: &str, name: &str) -> String {
    let tag = &tag[..tag.find('>').expect("a tag ends")];
    let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {tag}"));
    let value = rest.split('"').next().expect("a value ends");
    let value = value.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
    value.replace("&amp;", "&")
}
