//! Users: whom the caller's product knows by a user id, known inside the file by a number that says nothing.
//!
//! A user's row holds their user id, sealed with the master key, and beside it a data key of theirs once something was
//! sealed for them. When the row is gone, nobody can tell any more who they were, or read what was sealed.

use dunlin_workflows::id::UserNumber;
use dunlin_workflows::message::UserId;
use redb::ReadableTable;

use crate::batch::Batch;
use crate::batch::tables::Tables;
use crate::error::{BatchError, Fault, ReadError};
use crate::instance::{InstanceKind, Users};
use crate::newcomers::Hash;
use crate::person::wrapped_by;
use crate::reader::Reader;
use crate::record::RecordError;
use crate::record::envelope::{put_bytes, take_bytes, take_row};
use crate::record::row::PersonRowV1;
use crate::seal::{self, Key, KeyId, Keyring, Place};
use crate::table;

const TABLE: &str = "user_keys";

/// The forms of a row: without and with a data key. The first, in which everybody had one, is still read.
const ROW: u8 = 2;
const ROW_WITH_KEY: u8 = 3;

/// A user whose id is at hand, and whose data key if they have one.
pub(crate) struct UserKey {
    id: UserId,
    /// Drawn when it is first needed.
    key: Option<Key>,
}

impl UserKey {
    /// What the user is looked up by.
    pub(crate) fn hash(&self, keyring: &Keyring) -> Hash {
        hash(&self.id, keyring)
    }

    /// The user's data key; `None` while nothing was sealed for them.
    pub(crate) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The row of this user.
    pub(crate) fn put(&self, number: UserNumber, keyring: &Keyring) -> Result<Vec<u8>, RecordError> {
        let (master, wrapping) = keyring.wrapping();
        let key = self.key.as_ref().map(|key| key.bytes().as_slice()).unwrap_or_default();
        let mut sealed = [key, self.id.as_str().as_bytes()].concat();
        let (version, field) = if self.key.is_some() { (ROW_WITH_KEY, *b"ukey") } else { (ROW, *b"user") };
        seal::seal(wrapping, place(field, number, master), &mut sealed).ok_or(RecordError::NoCipher)?;
        let payload = [master.get().to_le_bytes().as_slice(), &sealed].concat();
        Ok(put_bytes(TABLE, &number.get().to_le_bytes(), version, &payload))
    }

    /// Opens the row of user `number`.
    pub(crate) fn take(number: UserNumber, bytes: &[u8], keyring: &Keyring) -> Result<Self, ReadError> {
        let failed = |source| ReadError::Row { table: TABLE, key: number.get().to_string(), source };
        let row_key = number.get().to_le_bytes();
        let unreadable = || failed(RecordError::Sealed { what: "user" });
        if bytes.first() == Some(&1) {
            let row: PersonRowV1 = take_row(TABLE, &row_key, 1, bytes).map_err(failed)?;
            let id = KeyId::new(row.master);
            let master = keyring.master(id).ok_or(ReadError::MasterKey { id })?;
            return Self::open_first(number, &row, (id, master)).ok_or_else(unreadable);
        }
        let (version, payload) = take_bytes(TABLE, &row_key, bytes).map_err(failed)?;
        let field = match version {
            ROW => *b"user",
            ROW_WITH_KEY => *b"ukey",
            version => return Err(failed(RecordError::UnknownVersion { name: TABLE, version })),
        };
        let (id, sealed) = wrapped_by(payload).map_err(failed)?;
        let master = keyring.master(id).ok_or(ReadError::MasterKey { id })?;
        let open = || -> Option<Self> {
            let plain = seal::open(master, place(field, number, id), sealed)?;
            let (key, id) = if version == ROW_WITH_KEY {
                let (key, id) = plain.split_first_chunk()?;
                (Some(master.unwrapped(*key)), id)
            } else {
                (None, plain.as_slice())
            };
            Some(Self { id: std::str::from_utf8(id).ok()?.parse().ok()?, key })
        };
        open().ok_or_else(unreadable)
    }

    /// Opens a row of the first form, in which the id was sealed with a data key that every user had.
    fn open_first(number: UserNumber, row: &PersonRowV1, (id, master): (KeyId, &Key)) -> Option<Self> {
        let key = seal::open(master, place(*b"uwrp", number, id), &row.wrapped)?;
        let key = master.unwrapped(key.try_into().ok()?);
        let id = String::from_utf8(seal::open(&key, id_place(number), &row.number)?).ok()?;
        Some(Self { id: id.parse().ok()?, key: Some(key) })
    }
}

fn hash(id: &UserId, keyring: &Keyring) -> Hash {
    keyring.blind_name(InstanceKind::User.number(), id.as_str())
}

fn place(field: [u8; 4], user: UserNumber, master: KeyId) -> Place {
    Place { field, position: user.get(), owner: u64::from(master.get()) }
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
        let named = self.instance_with_hash(InstanceKind::User, &hash)?;
        if named.is_none() {
            self.strangers.insert(id.clone(), hash);
        }
        Ok(named.map(UserNumber::new))
    }

    /// Gives a user id that is new a number. Until something is told of them, that is all that is known.
    pub fn meet_user(&mut self, id: &UserId) -> Result<UserNumber, BatchError> {
        let number = UserNumber::new(self.last_user()?.get().saturating_add(1));
        self.highest.user = Some(number);
        let hash = self.strangers.remove(id).unwrap_or_else(|| hash(id, &self.keyring));
        self.met_users.insert(hash, number);
        self.users.insert(number, UserKey { id: id.clone(), key: None });
        Ok(number)
    }

    /// The highest number that a user ever had; 0 when there was none. Whoever was erased left a record of that.
    pub(crate) fn last_user(&mut self) -> Result<UserNumber, BatchError> {
        if let Some(last) = self.highest.user {
            return Ok(last);
        }
        let told_of = self.next_instance(InstanceKind::User)?.saturating_sub(1);
        let read = last_key(&mut self.tables);
        let last = UserNumber::new(self.noted(read)?.max(told_of));
        self.highest.user = Some(last);
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
        self.keyed_users.remove(&user);
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

    /// The data key of a user, who gets one now if there was none; `None` when there is no such user, or not any more.
    pub(crate) fn user_key(&mut self, number: UserNumber) -> Result<Option<Key>, BatchError> {
        let Some(user) = self.open_user(number)? else { return Ok(None) };
        if let Some(key) = user.key() {
            return Ok(Some(key.clone()));
        }
        let drawn = self.keyring.wrapping().1.draw_wrapped(&self.entropy)?;
        if let Some(user) = self.users.get_mut(&number) {
            user.key = Some(drawn.clone());
        }
        self.keyed_users.insert(number);
        Ok(Some(drawn))
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
