//! Keys and the configuration are changed together: all or nothing, one change at a time.

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::Reply;
use ghapp_protocol::secret::Secret;
use tracing::{info, warn};

use crate::broker::git::close_what_has_no_app;
use crate::broker::{Broker, explain};
use crate::config::{self, Config};
use crate::keystore::StoreError;
use crate::model::{App, KeyPlace, PrivateKey};

/// Reads the configuration file again. A file with an error changes nothing.
pub(crate) fn reload(broker: &Broker) -> Reply {
    match config::load(&broker.shared.config_file) {
        Ok(config) => {
            adopt(broker, config);
            // People reload for wider grants and new certificates.
            broker.shared.github.reconnect();
            broker.shared.state().ask_anew();
            info!("configuration read again");
            Reply::Reloaded {}
        }
        Err(error) => Reply::Error(explain::config(&error.to_string())),
    }
}

/// Puts a configuration in force.
pub(super) fn adopt(broker: &Broker, config: Config) {
    broker.shared.state().adopt(config);
    close_what_has_no_app(broker);
}

/// Saves a key, and then edits the configuration so that it is used; if that fails, the key is taken back. The caller must hold
/// the turn.
pub(super) async fn save_with(
    broker: &Broker,
    edit: impl Fn() -> Result<config::Edit, config::EditError> + Send,
    place: &KeyPlace,
    key: PrivateKey,
    passphrase: Option<Secret>,
    explain_store: impl Fn(&StoreError) -> WireError + Send,
) -> Result<(), WireError> {
    // What can be known to fail fails before the keyring is asked.
    edit().and_then(|edit| edit.rehearse()).map_err(|error| explain::edit(&error))?;
    let saved = broker.shared.stores.save(place, key, passphrase).await.map_err(|error| explain_store(&error))?;
    // A lock that came meanwhile has wiped the keys in memory before this one was there. The edit is made to the file as it is now:
    // its owner may have written it while the keyring was asked.
    let written = || edit().and_then(config::Edit::write).map_err(|error| explain::edit(&error));
    match broker.shared.unlocked().and_then(|()| written()) {
        Ok(config) => adopt(broker, config),
        Err(error) => {
            if let Err(error) = broker.shared.stores.take_back(place, saved).await {
                warn!(app = %place.app, %error, "a key was left in its store");
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Deletes an App's key, unless another App of the configuration has the same. `false` if there was none, or it was kept.
pub(super) async fn delete_key(broker: &Broker, place: &KeyPlace) -> Result<bool, StoreError> {
    let config = broker.shared.current_config();
    let is_same = |other: KeyPlace| other.store == place.store && other.id == place.id;
    let others = config.apps.iter().filter(|other| other.name != place.app);
    if others.flat_map(App::key_places).any(is_same) {
        return Ok(false);
    }
    broker.shared.stores.delete(place).await
}
