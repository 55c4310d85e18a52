//! A guest's files, within its app's share of descriptors and its quota of storage.
//!
//! WASI's own functions do the work. Those that open something take a place first, and those that store something take its size;
//! streams keep the place of their file.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::quota::files::{FilePlace, FileQuota};
use crate::quota::storage::{StorageQuota, Stored};
use crate::sandbox::file_streams::{Growth, Held, HeldInput, HeldOutput, growth};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::types::{self, ErrorCode, HostDescriptor};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult, ReaddirIterator};

/// Most listings of folders that a guest reads at a time: the host holds each as a whole.
const MOST_LISTINGS: usize = 4;

/// The files of one instance.
pub struct OpenFiles {
    /// The app's name in the log.
    app: Arc<str>,
    quota: FileQuota,
    storage: Arc<StorageQuota>,
    /// By the numbers of their descriptors. Those of granted folders are not among them.
    places: HashMap<u32, Arc<FilePlace>>,
    _granted: Vec<FilePlace>,
    listings: usize,
    /// It was refused a file, and the log has said so.
    is_told: bool,
}

impl OpenFiles {
    /// `granted`: folders that it has open from the beginning. They count, but no instance fails for want of them.
    pub fn new(app: Arc<str>, quota: FileQuota, storage: Arc<StorageQuota>, granted: usize) -> Self {
        let granted = std::iter::from_fn(|| quota.try_take()).take(granted).collect();
        Self { app, _granted: granted, quota, storage, places: HashMap::new(), listings: 0, is_told: false }
    }

    fn place(&mut self) -> Option<FilePlace> {
        let place = self.quota.try_take();
        if place.is_none() && !std::mem::replace(&mut self.is_told, true) {
            let limit = limit_name::of(Limit::MaxFiles);
            tracing::warn!(app = &*self.app, "an instance was refused a file ({limit})");
        }
        place
    }

    /// Count what is about to be stored.
    async fn store(&self, more: Stored) -> FsResult<()> {
        if self.storage.take(more, &self.quota).await {
            Ok(())
        } else {
            Err(ErrorCode::InsufficientSpace.into())
        }
    }

    /// Give back what was counted, if it was not stored.
    fn settle<T>(&self, more: Stored, outcome: FsResult<T>) -> FsResult<T> {
        if outcome.is_err() {
            self.storage.give_back(more);
        }
        outcome
    }

    fn held(&self, file: &Resource<Descriptor>) -> Held {
        Held { place: self.places.get(&file.rep()).cloned(), quota: self.quota.clone() }
    }
}

/// For the linker.
pub struct CountedFiles;

impl HasData for CountedFiles {
    type Data<'a> = GuestFiles<'a>;
}

/// WASI's view of an instance's files, and what is counted of them.
pub struct GuestFiles<'a> {
    pub wasi: WasiFilesystemCtxView<'a>,
    pub open: &'a mut OpenFiles,
}

type Fd = Resource<Descriptor>;

impl GuestFiles<'_> {
    fn file(&self, fd: &Fd) -> Option<Arc<File>> {
        match self.wasi.table.get(fd) {
            Ok(Descriptor::File(file)) => Some(file.file.clone()),
            _ => None,
        }
    }

    /// The same, if the guest may write to it.
    fn writable(&self, fd: &Fd) -> Option<Arc<File>> {
        match self.wasi.table.get(fd) {
            Ok(Descriptor::File(file)) if file.open_mode.contains(OpenMode::WRITE) => Some(file.file.clone()),
            _ => None,
        }
    }
}

impl types::Host for GuestFiles<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.wasi.convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.wasi.filesystem_error_code(error)
    }
}

impl types::HostDirectoryEntryStream for GuestFiles<'_> {
    async fn read_directory_entry(
        &mut self,
        listing: Resource<ReaddirIterator>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        self.wasi.read_directory_entry(listing).await
    }

    fn drop(&mut self, listing: Resource<ReaddirIterator>) -> wasmtime::Result<()> {
        types::HostDirectoryEntryStream::drop(&mut self.wasi, listing)?;
        self.open.listings = self.open.listings.saturating_sub(1);
        Ok(())
    }
}

impl HostDescriptor for GuestFiles<'_> {
    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Fd> {
        let place = self.open.place().ok_or(ErrorCode::Quota)?;
        let creates = open_flags.contains(types::OpenFlags::CREATE);
        let more = if creates { Stored::one_file() } else { Stored::default() };
        self.open.store(more).await?;
        let opened = self.wasi.open_at(fd, path_flags, path, open_flags, flags).await;
        let opened = self.open.settle(more, opened)?;
        self.open.places.insert(opened.rep(), Arc::new(place));
        if let Some(file) = self.file(&opened) {
            self.open.storage.opened(&file);
        }
        Ok(opened)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        let number = fd.rep();
        HostDescriptor::drop(&mut self.wasi, fd)?;
        self.open.places.remove(&number);
        Ok(())
    }

    fn read_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynInputStream>> {
        let held = self.open.held(&fd);
        let stream = self.wasi.read_via_stream(fd, offset)?;
        let stream = HeldInput::new(self.wasi.table.delete(stream)?, held);
        Ok(self.wasi.table.push(Box::new(stream) as DynInputStream)?)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        let held = self.open.held(&fd);
        let (file, at) = (self.file(&fd), Some(offset));
        let stream = self.wasi.write_via_stream(fd, offset)?;
        let growth = Growth { file, at, storage: self.open.storage.clone() };
        let stream = HeldOutput::new(self.wasi.table.delete(stream)?, held, growth);
        Ok(self.wasi.table.push(Box::new(stream) as DynOutputStream)?)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let held = self.open.held(&fd);
        let growth = Growth { file: self.file(&fd), at: None, storage: self.open.storage.clone() };
        let stream = self.wasi.append_via_stream(fd)?;
        let stream = HeldOutput::new(self.wasi.table.delete(stream)?, held, growth);
        Ok(self.wasi.table.push(Box::new(stream) as DynOutputStream)?)
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<ReaddirIterator>> {
        if self.open.listings >= MOST_LISTINGS {
            return Err(ErrorCode::Quota.into());
        }
        let listing = self.wasi.read_directory(fd).await?;
        self.open.listings += 1;
        Ok(listing)
    }

    async fn advise(&mut self, fd: Fd, offset: u64, len: u64, advice: types::Advice) -> FsResult<()> {
        self.wasi.advise(fd, offset, len, advice).await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.wasi.sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<types::DescriptorFlags> {
        self.wasi.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<types::DescriptorType> {
        self.wasi.get_type(fd).await
    }

    async fn set_size(&mut self, fd: Fd, size: u64) -> FsResult<()> {
        let more = Stored::bytes(growth(self.writable(&fd).as_deref(), size));
        self.open.store(more).await?;
        let outcome = self.wasi.set_size(fd, size).await;
        self.open.settle(more, outcome)
    }

    async fn set_times(
        &mut self,
        fd: Fd,
        read: types::NewTimestamp,
        written: types::NewTimestamp,
    ) -> FsResult<()> {
        self.wasi.set_times(fd, read, written).await
    }

    async fn read(&mut self, fd: Fd, len: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        self.wasi.read(fd, len, offset).await
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        let end = offset.saturating_add(bytes.len() as u64);
        let more = Stored::bytes(growth(self.writable(&fd).as_deref(), end));
        self.open.store(more).await?;
        let outcome = self.wasi.write(fd, bytes, offset).await;
        self.open.settle(more, outcome)
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.wasi.sync(fd).await
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.open.store(Stored::one_file()).await?;
        let outcome = self.wasi.create_directory_at(fd, path).await;
        self.open.settle(Stored::one_file(), outcome)
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<types::DescriptorStat> {
        self.wasi.stat(fd).await
    }

    async fn stat_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        self.wasi.stat_at(fd, flags, path).await
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
        read: types::NewTimestamp,
        written: types::NewTimestamp,
    ) -> FsResult<()> {
        self.wasi.set_times_at(fd, flags, path, read, written).await
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
        new_fd: Fd,
        new_path: String,
    ) -> FsResult<()> {
        self.open.store(Stored::one_file()).await?;
        let outcome = self.wasi.link_at(fd, flags, path, new_fd, new_path).await;
        self.open.settle(Stored::one_file(), outcome)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        self.wasi.readlink_at(fd, path).await
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.wasi.remove_directory_at(fd, path).await
    }

    async fn rename_at(&mut self, fd: Fd, path: String, new_fd: Fd, new_path: String) -> FsResult<()> {
        self.wasi.rename_at(fd, path, new_fd, new_path).await
    }

    async fn symlink_at(&mut self, fd: Fd, path: String, new_path: String) -> FsResult<()> {
        self.open.store(Stored::one_file()).await?;
        let outcome = self.wasi.symlink_at(fd, path, new_path).await;
        self.open.settle(Stored::one_file(), outcome)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.wasi.unlink_file_at(fd, path).await
    }

    async fn is_same_object(&mut self, one: Fd, other: Fd) -> wasmtime::Result<bool> {
        self.wasi.is_same_object(one, other).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<types::MetadataHashValue> {
        self.wasi.metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        self.wasi.metadata_hash_at(fd, flags, path).await
    }
}
