//! Users: whom the caller's product knows by a user id, known inside the file by a number that says nothing.
//!
//! A user's row holds a data key of theirs, wrapped by the master key, and their user id, sealed with it.
//! When the row is gone, nobody can tell any more who they were.

use dunlin_workflows::id::UserNumber;
use dunlin_workflows::message::UserId;
use redb::ReadableTable;

use crate::batch::Batch;
use crate::batch::tables::Tables;
use crate::error::{BatchError, Fault, ReadError};
use crate::instance::{InstanceKind, Users};
use crate::newcomers::Hash;
use crate::reader::Reader;
use crate::record::RecordError;
use crate::record::envelope::{put_row, take_row};
use crate::record::row::PersonRowV1;
use crate::seal::{self, Entropy, Key, KeyId, Keyring, Place};
use crate::table;

const TABLE: &str = "user_keys";

/// A user whose data key is at hand.
pub(crate) struct UserKey {
    id: UserId,
    key: Key,
}

impl UserKey {
    /// A user with a new data key.
    fn new(id: UserId, keyring: &Keyring, entropy: &Entropy) -> Result<Self, BatchError> {
        let (_, wrapping) = keyring.wrapping();
        Ok(Self { id, key: wrapping.draw_wrapped(entropy)? })
    }

    /// What the user is looked up by.
    pub(crate) fn hash(&self, keyring: &Keyring) -> Hash {
        hash(&self.id, keyring)
    }

    /// The user's data key.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The row of this user.
    pub(crate) fn put(&self, number: UserNumber, keyring: &Keyring) -> Result<Vec<u8>, RecordError> {
        let (master, wrapping) = keyring.wrapping();
        let mut wrapped = self.key.bytes().to_vec();
        seal::seal(wrapping, wrap_place(number, master), &mut wrapped).ok_or(RecordError::NoCipher)?;
        let mut id = self.id.as_str().as_bytes().to_vec();
        seal::seal(&self.key, id_place(number), &mut id).ok_or(RecordError::NoCipher)?;
        let row = PersonRowV1 { master: master.get(), wrapped, number: id };
        put_row(TABLE, &number.get().to_le_bytes(), 1, &row)
    }

    /// Opens the row of user `number`.
    pub(crate) fn take(number: UserNumber, bytes: &[u8], keyring: &Keyring) -> Result<Self, ReadError> {
        let failed = |source| ReadError::Row { table: TABLE, key: number.get().to_string(), source };
        let row: PersonRowV1 = take_row(TABLE, &number.get().to_le_bytes(), 1, bytes).map_err(failed)?;
        let id = KeyId::new(row.master);
        let master = keyring.master(id).ok_or(ReadError::MasterKey { id })?;
        let open = || -> Option<Self> {
            let key = seal::open(master, wrap_place(number, id), &row.wrapped)?;
            let key = master.unwrapped(key.try_into().ok()?);
            let id = String::from_utf8(seal::open(&key, id_place(number), &row.number)?).ok()?;
            Some(Self { id: id.parse().ok()?, key })
        };
        open().ok_or(RecordError::Sealed { what: "user" }).map_err(failed)
    }
}

fn hash(id: &UserId, keyring: &Keyring) -> Hash {
    keyring.blind_name(InstanceKind::User.number(), id.as_str())
}

fn wrap_place(user: UserNumber, master: KeyId) -> Place {
    Place { field: *b"uwrp", position: user.get(), owner: u64::from(master.get()) }
}

fn id_place(user: UserNumber) -> Place {
    Place { field: *b"uid ", position: user.get(), owner: user.get() }
}

fn find(
    table: &impl ReadableTable<u64, &'static [u8]>,
    number: UserNumber,
    keyring: &Keyring,
) -> Result<Option<UserKey>, ReadError> {
    let row = table.get(number.get()).map_err(Fault::from)?;
    row.map(|bytes| UserKey::take(number, bytes.value(), keyring)).transpose()
}

fn last_key(tables: &mut Tables<'_>) -> Result<u64, BatchError> {
    let last = tables.user_keys.open()?.last().map_err(Fault::from)?;
    Ok(last.map_or(0, |(number, _)| number.value()))
}

impl Batch<'_> {
    /// The user with this id, if somebody named them before.
    pub fn user(&mut self, id: &UserId) -> Result<Option<UserNumber>, BatchError> {
        let hash = hash(id, &self.keyring);
        if let Some(number) = self.met_users.get(&hash) {
            return Ok(Some(*number));
        }
        let gathered = self.newcomers.users.get(&hash).map(UserNumber::new);
        if let Some(number) = gathered.filter(|number| !self.forgotten.contains(number)) {
            return Ok(Some(number));
        }
        Ok(self.instance_named(InstanceKind::User, id.as_str())?.map(UserNumber::new))
    }

    /// Gives a user id that is new a number and a key. Until something is told of them, that is all that is known.
    pub fn meet_user(&mut self, id: &UserId) -> Result<UserNumber, BatchError> {
        let number = UserNumber::new(self.last_user()?.get().saturating_add(1));
        self.last_user = Some(number);
        let user = UserKey::new(id.clone(), &self.keyring, &self.entropy)?;
        self.met_users.insert(user.hash(&self.keyring), number);
        self.users.insert(number, user);
        Ok(number)
    }

    /// The highest number that a user ever had; 0 when there was none. Whoever was erased left a record of that.
    pub(crate) fn last_user(&mut self) -> Result<UserNumber, BatchError> {
        if let Some(last) = self.last_user {
            return Ok(last);
        }
        let told_of = self.next_instance(InstanceKind::User)?.saturating_sub(1);
        let read = last_key(&mut self.tables);
        let last = UserNumber::new(self.noted(read)?.max(told_of));
        self.last_user = Some(last);
        Ok(last)
    }

    /// Destroys a user's data key: their id can't be read any more, and leads nowhere. The batch must record
    /// the erasure too.
    ///
    /// # Errors
    /// [`BatchError::UnknownUser`] when there is no such user, or not any more.
    pub fn forget_user(&mut self, user: UserNumber) -> Result<(), BatchError> {
        let Some(id) = self.open_user(user)?.map(|open| open.id.clone()) else {
            return Err(BatchError::UnknownUser { user });
        };
        self.met_users.remove(&hash(&id, &self.keyring));
        self.unname_instance(InstanceKind::User, id.as_str())?;
        let removed = self.remove_user(user);
        self.noted(removed)?;
        self.users.remove(&user);
        self.forgotten.insert(user);
        Ok(())
    }

    /// A user's id; `None` once they were erased.
    pub fn user_id(&mut self, user: UserNumber) -> Result<Option<UserId>, BatchError> {
        Ok(self.open_user(user)?.map(|open| open.id.clone()))
    }

    /// A user of this batch or of the file, with their data key.
    pub(crate) fn open_user(&mut self, number: UserNumber) -> Result<Option<&UserKey>, BatchError> {
        if !self.users.contains_key(&number) {
            let read = self.stored_user(number);
            let Some(user) = self.noted(read)? else { return Ok(None) };
            self.users.insert(number, user);
        }
        Ok(self.users.get(&number))
    }

    fn stored_user(&mut self, number: UserNumber) -> Result<Option<UserKey>, BatchError> {
        Ok(find(self.tables.user_keys.open()?, number, &self.keyring)?)
    }

    fn remove_user(&mut self, number: UserNumber) -> Result<(), BatchError> {
        self.tables.user_keys.open()?.remove(number.get()).map_err(Fault::from)?;
        Ok(())
    }
}

impl Reader {
    /// The user with this id. Needs the keys.
    pub fn user_of(&self, id: &UserId) -> Result<Option<UserNumber>, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(None) };
        if let Some(number) = self.newcomers().users.get(&hash(id, keyring))
            && self.open(table::USER_KEYS)?.get(number).map_err(Fault::from)?.is_some()
        {
            return Ok(Some(UserNumber::new(number)));
        }
        Ok(self.instance_named(InstanceKind::User, id.as_str())?.map(UserNumber::new))
    }

    /// The user who has proven that a person's number is theirs.
    pub fn owner_of(
        &self,
        person: dunlin_workflows::id::PersonNumber,
    ) -> Result<Option<UserNumber>, ReadError> {
        Ok(self.claimant(InstanceKind::User, person.get())?.map(UserNumber::new))
    }

    /// A user's id; `None` once they were erased, and without keys.
    pub fn user_id(&self, user: UserNumber) -> Result<Option<UserId>, ReadError> {
        Ok(self.user(user)?.map(|open| open.id))
    }

    /// What is known of a user; `None` when nothing was told of them.
    pub fn user_state(&self, user: UserNumber) -> Result<Option<dunlin_workflows::user::User>, ReadError> {
        self.instance::<Users>(user.get())
    }

    pub(crate) fn user(&self, number: UserNumber) -> Result<Option<UserKey>, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(None) };
        find(&self.open(table::USER_KEYS)?, number, keyring)
    }
}
