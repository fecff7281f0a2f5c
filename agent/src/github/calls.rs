//! The calls of the API that the agent makes.

use ghapp_protocol::remote::{FullName, Owner, RepositoryName};
use reqwest::header::{LINK, LOCATION};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tracing::debug;
use zeroize::Zeroizing;

use super::client::{Answer, GitHub};
use super::error::{GitHubError, date, refusal};
use super::types::{
    AppInfo, ListedRepository, MintAnswer, MintBody, NewApp, RawInstallation, RawPage, RawToken, RawTokenAlone, User,
};
use crate::model::{App, AppJwt, Installation, InstallationId, InstallationToken, ManifestCode, Permissions};

/// Most pages of a list that are read: 10,000 installations or repositories.
const MAX_PAGES: usize = 100;

/// Which repositories a mint names. There is no empty list: GitHub would read it as all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MintRepositories<'a> {
    /// These; at least one.
    Names(&'a [RepositoryName]),
    /// These, whatever they are called now; at least one.
    Ids(&'a [u64]),
    /// All of the installation.
    Installation,
}

impl MintRepositories<'_> {
    /// How many; none for a whole installation.
    pub(crate) fn count(self) -> Option<usize> {
        match self {
            Self::Names(names) => Some(names.len()),
            Self::Ids(ids) => Some(ids.len()),
            Self::Installation => None,
        }
    }
}

/// What GitHub says about the installation that covers a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RepositoryInstallation {
    /// This one does.
    Covered(Box<Installation>),
    /// The repository is called differently now; only its id is sure.
    Moved {
        /// GitHub's id of the repository.
        repository_id: u64,
    },
    /// No installation that we may see does.
    NotFound,
}

impl GitHub {
    /// The App as it sees itself. Proves that the key belongs to it.
    pub(crate) async fn app(&self, app: &App, jwt: &AppJwt) -> Result<AppInfo, GitHubError> {
        let answer = self.call(app, Method::GET, "/app", Some(&jwt.secret), None).await?;
        json(&expect(answer, StatusCode::OK)?)
    }

    /// GitHub's clock, in seconds since 1970, if it says. Needs no key: any answer of the API will do, even a refusal.
    pub(crate) async fn time(&self, app: &App) -> Result<Option<i64>, GitHubError> {
        let answer = self.call(app, Method::GET, "/meta", None, None).await?;
        if answer.status.is_server_error() {
            return Err(GitHubError::Unavailable(answer.status.as_u16()));
        }
        // A captive portal's page, or a web server that is not GitHub.
        json::<serde::de::IgnoredAny>(&answer)?;
        Ok(date(&answer.headers))
    }

    /// Fetches the App that was registered from a manifest, with its only private key. GitHub hands it out once.
    pub(crate) async fn convert_manifest(&self, app: &App, code: &ManifestCode) -> Result<NewApp, GitHubError> {
        let path = Zeroizing::new(format!("/app-manifests/{}/conversions", code.secret().expose()));
        let answer = self.call(app, Method::POST, &path, None, Some(Vec::new())).await?;
        json(&expect(answer, StatusCode::CREATED)?)
    }

    /// All installations of the App, enterprises included.
    pub(crate) async fn installations(&self, app: &App, jwt: &AppJwt) -> Result<Vec<Installation>, GitHubError> {
        let mut installations = Vec::new();
        let mut path = "/app/installations?per_page=100".to_owned();
        for _ in 0..MAX_PAGES {
            let answer = self.call(app, Method::GET, &path, Some(&jwt.secret), None).await?;
            let answer = expect(answer, StatusCode::OK)?;
            let page: Vec<RawInstallation> = json(&answer)?;
            installations.extend(page.into_iter().map(Installation::from));
            match next_page(&answer, app) {
                Some(next) => path = next,
                None => return Ok(installations),
            }
        }
        Err(GitHubError::Garbled("more than 100 pages of installations"))
    }

    /// One installation by its id. `None` means that GitHub said the App has no such one.
    pub(crate) async fn installation(
        &self,
        app: &App,
        jwt: &AppJwt,
        id: InstallationId,
    ) -> Result<Option<Installation>, GitHubError> {
        self.find(app, jwt, &format!("/app/installations/{id}")).await
    }

    /// The installation on one account, user or organization alike. `None` means that GitHub said there is none.
    pub(crate) async fn installation_of_owner(
        &self,
        app: &App,
        jwt: &AppJwt,
        owner: &Owner,
    ) -> Result<Option<Installation>, GitHubError> {
        self.find(app, jwt, &format!("/users/{owner}/installation")).await
    }

    async fn find(&self, app: &App, jwt: &AppJwt, path: &str) -> Result<Option<Installation>, GitHubError> {
        let answer = self.call(app, Method::GET, path, Some(&jwt.secret), None).await?;
        match expect(answer, StatusCode::OK) {
            Ok(answer) => Ok(Some(json::<RawInstallation>(&answer)?.into())),
            Err(GitHubError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The installation that covers one repository.
    pub(crate) async fn installation_of_repository(
        &self,
        app: &App,
        jwt: &AppJwt,
        name: &FullName,
    ) -> Result<RepositoryInstallation, GitHubError> {
        let path = format!("/repos/{name}/installation");
        let answer = self.call(app, Method::GET, &path, Some(&jwt.secret), None).await?;
        if answer.status == StatusCode::MOVED_PERMANENTLY {
            let repository_id = moved_to(&answer, app);
            return repository_id
                .map(|repository_id| RepositoryInstallation::Moved { repository_id })
                .ok_or(GitHubError::Garbled("a redirect that names no repository"));
        }
        match expect(answer, StatusCode::OK) {
            Ok(answer) => {
                let installation: Installation = json::<RawInstallation>(&answer)?.into();
                Ok(RepositoryInstallation::Covered(Box::new(installation)))
            }
            Err(GitHubError::NotFound) => Ok(RepositoryInstallation::NotFound),
            Err(error) => Err(error),
        }
    }

    /// The installation that covers a repository, by its id: GitHub redirects a lookup by an old name to this.
    pub(crate) async fn installation_of_repository_id(
        &self,
        app: &App,
        jwt: &AppJwt,
        id: u64,
    ) -> Result<Option<Installation>, GitHubError> {
        self.find(app, jwt, &format!("/repositories/{id}/installation")).await
    }

    /// Mints a token that reaches these repositories and may do this much. An answer with a flaw has a token that has to be killed.
    pub(crate) async fn mint(
        &self,
        app: &App,
        jwt: &AppJwt,
        installation: InstallationId,
        repositories: MintRepositories<'_>,
        permissions: &Permissions,
    ) -> Result<MintAnswer, GitHubError> {
        let (names, repository_ids) = match repositories {
            MintRepositories::Names([]) | MintRepositories::Ids([]) => {
                return Err(GitHubError::Garbled("a mint for no repository"));
            }
            MintRepositories::Names(names) => (Some(names.iter().map(RepositoryName::as_str).collect()), None),
            MintRepositories::Ids(ids) => (None, Some(ids)),
            MintRepositories::Installation => (None, None),
        };
        let body = MintBody { repositories: names, repository_ids, permissions: permissions.to_map() };
        let body = serde_json::to_vec(&body).map_err(|_| GitHubError::Garbled("a mint of our own"))?;
        let path = format!("/app/installations/{installation}/access_tokens");
        let answer = self.call(app, Method::POST, &path, Some(&jwt.secret), Some(body)).await?;
        let answer = expect(answer, StatusCode::CREATED)?;
        let minted = match json::<RawToken>(&answer) {
            Ok(raw) => raw.into_answer(),
            // There is a token all the same.
            Err(error) => {
                let now = crate::clock::Clock::now(&crate::clock::SystemClock).wall;
                json::<RawTokenAlone>(&answer).map_err(|_| error)?.into_answer(now)
            }
        };
        let minted = minted.ok_or(GitHubError::Garbled("a token that is not one line"))?;
        let token = InstallationToken { minted_at: date(&answer.headers), ..minted.token };
        Ok(MintAnswer { token, ..minted })
    }

    /// The repositories that a token reaches.
    pub(crate) async fn repositories(
        &self,
        app: &App,
        token: &InstallationToken,
    ) -> Result<Vec<ListedRepository>, GitHubError> {
        let mut repositories = Vec::new();
        let mut path = "/installation/repositories?per_page=100".to_owned();
        for _ in 0..MAX_PAGES {
            let answer = self.call(app, Method::GET, &path, Some(&token.secret), None).await?;
            let answer = expect(answer, StatusCode::OK)?;
            repositories.extend(json::<RawPage>(&answer)?.into_listed());
            match next_page(&answer, app) {
                Some(next) => path = next,
                None => return Ok(repositories),
            }
        }
        Err(GitHubError::Garbled("more than 100 pages of repositories"))
    }

    /// A user by its name. Most hosts answer anyone; others require a token.
    pub(crate) async fn user(
        &self,
        app: &App,
        login: &str,
        token: Option<&InstallationToken>,
    ) -> Result<User, GitHubError> {
        let path = format!("/users/{}", escaped(login));
        let answer = self.call(app, Method::GET, &path, token.map(|token| &token.secret), None).await?;
        let user: User = json(&expect(answer, StatusCode::OK)?)?;
        if user.login.eq_ignore_ascii_case(login) { Ok(user) } else { Err(GitHubError::Garbled("another user")) }
    }

    /// Revokes a token. One that is dead already is no error.
    pub(crate) async fn revoke(&self, app: &App, token: &InstallationToken) -> Result<(), GitHubError> {
        let answer = self.call(app, Method::DELETE, "/installation/token", Some(&token.secret), None).await?;
        match expect(answer, StatusCode::NO_CONTENT) {
            Ok(_) | Err(GitHubError::BadCredentials) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn expect(answer: Answer, status: StatusCode) -> Result<Answer, GitHubError> {
    debug!(status = answer.status.as_u16(), "GitHub answered");
    if answer.status == status {
        return Ok(answer);
    }
    let now = crate::clock::Clock::now(&crate::clock::SystemClock).wall;
    Err(refusal(answer.status, &answer.headers, &answer.body, now))
}

fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, GitHubError> {
    serde_json::from_slice(&answer.body).map_err(|_| GitHubError::Garbled("unexpected JSON"))
}

/// One part of a path. A bot's name has brackets, which have to be escaped (RFC 3986, section 2.2).
fn escaped(part: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    part.bytes().map(escape).collect()
}

/// The path of the next page, from `Link: <URL>; rel="next"`. Only below the same API: the JWT goes nowhere else.
fn next_page(answer: &Answer, app: &App) -> Option<String> {
    let link = answer.headers.get(LINK)?.to_str().ok()?;
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let url = next.split_once('<')?.1.split_once('>')?.0;
    let path = url.strip_prefix(app.api_url.as_str())?;
    path.starts_with('/').then(|| path.to_owned())
}

/// The repository's id in `Location: API/repositories/ID/...`. Only below the same API.
fn moved_to(answer: &Answer, app: &App) -> Option<u64> {
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    let path = location.strip_prefix(app.api_url.as_str()).unwrap_or(location);
    path.strip_prefix("/repositories/")?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_in_a_name_can_leave_its_part_of_a_path() {
        assert_eq!(escaped("acme-bot[bot]"), "acme-bot%5Bbot%5D");
        assert_eq!(escaped("../app?x#y%z\u{e9}"), "..%2Fapp%3Fx%23y%25z%C3%A9");
    }
}
