"""The composition root: the parts of a running service, put together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from time import perf_counter

from filelock import FileLock
from sqlalchemy import Engine, make_url

from adapters.cache import CacheSettings, brute_force_on
from adapters.encoder import Encoder
from adapters.recipe import ChooseRecipe, Recipe
from service.authentication.bookkeeping import Bookkeeping
from service.authentication.key_ring import KeyRing
from service.encoder import asked_recipe, load_encoder, origin_of
from service.encoding.recipes import RecipeEmbedders
from service.encoding.text_embedder import TextEmbedder
from service.fetching import Fetcher, fetcher_of
from service.inbox.remembering import Remembering
from service.installation import check_one_faiss
from service.jobs.background_jobs import BackgroundJobs
from service.precision.database_recipe import DatabaseRecipe
from service.precision_check import BackgroundCheck, first_precision
from service.prompts import ChosenPrompts, prompted_encoders
from service.re_embedding.worker import ReEmbedder
from service.registry.background_tuning import BackgroundTuner
from service.registry.early_following import EarlyFollowing
from service.registry.freshness import AlwaysFresh, RevisionCheck
from service.registry.limits import SizeLimits
from service.registry.mending import Mending
from service.registry.query_batching import Answering
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.contents import Contents, Sweeper
from service.storage.damage import Scrubber
from service.storage.database_meters import DatabaseMeters
from service.storage.engine import open_database
from service.storage.fingerprints import check_fingerprints, stored_fingerprints
from service.storage.housekeeping import Housekeeping
from service.storage.inbox import Inboxes
from service.storage.lock import lock_database
from service.storage.lost_log import InUse
from service.storage.moved_embeddings import MovedEmbeddings
from service.storage.notifications import Notifications
from service.storage.prompt_cache import PromptCache
from service.storage.recipe_move import RecipeMoves
from service.storage.recording import Recorder
from service.storage.sqlite import SQLiteFile
from service.storage.stale import StaleEmbeddings
from service.storage.store import Store
from service.storage.tenant_limits import OwnedLimits
from service.thread_pools import one_thread_a_call
from service.thumbnails.thumbnails import Thumbnails

logger = logging.getLogger("handful")


@dataclass(slots=True, kw_only=True)
class ServiceParts:
    """What requests are served with.

    Attributes:
        keys: Those that are valid, and limits of tenants; None: everybody may do everything.
        bookkeeping: What is written of keys in the background; None: there are none.
        lock: Of the database file, where this process has it to itself; None: others may share it.
        in_use: The mark beside an SQLite database, with what was lost of its log.
        checking: What measures precisions beside it; None: nothing is to be measured.
        notifications: Hears of what other processes change; None: there are none, or no others.
        following: Brings classifiers up to date that they change.
        meters: Where requests are counted that all replicas count together; None: they do not.
        fetcher: Fetches images that are given by URL; None: none are.
    """

    settings: Settings
    backbone: Encoder
    registry: Registry
    store: Store
    embedder: RecipeEmbedders
    texts: TextEmbedder
    prompts: ChosenPrompts
    answering: Answering
    tuner: BackgroundTuner
    re_embedder: ReEmbedder
    jobs: BackgroundJobs
    inboxes: Inboxes
    remembering: Remembering
    thumbnails: Thumbnails
    engine: Engine
    housekeeping: Housekeeping
    scrubber: Scrubber
    contents: Contents
    sweeper: Sweeper
    keys: KeyRing | None
    bookkeeping: Bookkeeping | None
    lock: FileLock | None
    in_use: InUse | None
    checking: BackgroundCheck | None
    notifications: Notifications | None
    following: EarlyFollowing | None
    meters: DatabaseMeters | None
    fetcher: Fetcher | None = None

    @classmethod
    def start(
        cls,
        settings: Settings,
        load: Callable[[Settings, Recipe | ChooseRecipe], Encoder] = load_encoder,
    ) -> ServiceParts:
        """Open the database, load the backbone, see that they belong together.

        Blocks for some seconds.

        Args:
            settings: All of them.
            load: Loads the backbone into this process, or reaches the one that another has, in the
                recipe that is chosen by the model's fingerprint.

        Raises:
            StorageError: The database cannot be used, or not with this backbone.
            BackboneError: The backbone cannot be loaded.
        """
        started = perf_counter()
        check_one_faiss()
        # One for all processes, where there are several: who starts them holds it.
        lock = lock_database(settings.sqlalchemy_url) if settings.processes == 1 else None
        engine = open_database(settings.sqlalchemy_url, settings.database_seconds, settings)
        try:
            return cls._on(engine, lock, settings, load, started)
        except BaseException:
            engine.dispose()  # as whoever ends by itself
            raise

    @classmethod
    def _on(
        cls,
        engine: Engine,
        lock: FileLock | None,
        settings: Settings,
        load: Callable[[Settings, Recipe | ChooseRecipe], Encoder],
        started: float,
    ) -> ServiceParts:
        file: SQLiteFile | None = engine.get_execution_options().get("file")
        in_use = None if file is None else file.in_use
        logger.info("loading backbone %s", settings.backbone)
        asked = asked_recipe(settings, partial(first_precision, settings))
        backbone = load(settings, DatabaseRecipe(asked, stored_fingerprints(engine)))
        if settings.precision not in ("auto", backbone.recipe.precision):
            logger.warning(
                "the database was made in %s, so images are embedded in that and not in %s"
                " (HANDFUL_PRECISION); to change it: handful re-embed --precision %s",
                backbone.recipe.precision,
                settings.precision,
                settings.precision,
            )
        gpu = brute_force_on(backbone.device) if backbone.device.type == "cuda" else None
        if backbone.engine != "eager":
            one_thread_a_call()
        if backbone.correction.name == "uncorrected":
            logger.warning(
                "%s has no correction of intra-modal overlap: tip-adapter++ answers as"
                " tip-adapter does",
                backbone.name,
            )
        if settings.prompts is not None:
            logger.warning(
                "class texts are written as %r, which the prompts were trained with: templates of"
                " classifiers do not apply",
                *backbone.templates,
            )
        own = origin_of(backbone, settings)
        prompted = prompted_encoders(engine, backbone, settings)
        embedder = RecipeEmbedders(backbone, settings, partial(load, settings), prompted)
        moves = RecipeMoves(engine, own)
        kept = moves.fingerprint()
        if kept is not None and embedder.can_embed(kept):  # in the recipe of the database
            own = replace(own, fingerprint=kept)
        check_fingerprints(engine, own)
        prompts = ChosenPrompts(engine, own, prompted)
        prompts.load_used()
        contents = Contents.opened(engine, settings.images, settings.database_seconds)
        store = Store(
            engine,
            own,
            store_images=settings.store_images,
            accepts=embedder.can_embed,
            prompted=embedder.is_prompted,
            keeps_history=settings.history_days > 0,
            contents=contents,
        )
        notifications = None if lock is not None else Notifications.of(engine)
        if notifications is not None:
            store = store.recording([notifications])
        meters = DatabaseMeters(engine) if settings.rate_limits == "database" else None
        keys = owned = None
        if settings.auth != "none":
            keys = KeyRing(engine, settings.tenant_limits)
            owned = OwnedLimits(keys.limits)
            store = store.recording([owned])
        registry = Registry(
            store,
            backbone,
            limits=SizeLimits(max_classes=settings.max_classes, max_texts=settings.max_texts),
            memory=settings.classifier_memory // settings.processes,
            freshness=RevisionCheck(store) if lock is None else AlwaysFresh(),
            cache=CacheSettings(settings.cache_storage, settings.cache_exact_up_to, gpu=gpu),
            prompts=prompts,
        )
        texts = TextEmbedder(
            backbone,
            settings.max_texts,
            PromptCache(
                engine,
                backbone.recipe.fingerprint_of_texts(backbone.model_fingerprint),
                backbone.width,
            ),
            embedder.queries_wait,
            embedder.encoder,
        )
        logger.info(
            "ready after %.1f s: backbone %s on %s (%s, %s), %d classifiers in %s",
            perf_counter() - started,
            backbone.name,
            backbone.device,
            backbone.engine,
            backbone.recipe.precision,
            len(store.classifiers()),
            make_url(settings.sqlalchemy_url).render_as_string(hide_password=True),
        )
        re_embedder = ReEmbedder(
            store,
            moves,
            MovedEmbeddings(engine, own, contents),
            registry,
            embedder,
            StaleEmbeddings(engine, own, contents),
            settings,
            shared=lock is None,
        )
        answering = Answering()
        inboxes = Inboxes(engine, owned, contents)
        thumbnails = Thumbnails(engine, store, inboxes, settings, embedder.queries_wait)
        jobs = BackgroundJobs(
            engine, settings, registry, embedder, texts, answering, shared=lock is None
        )
        following = None
        if notifications is not None:
            following = EarlyFollowing(registry.follow)
            notifications.begin(
                {
                    "classifier": following.heard,
                    "access": lambda _: None if keys is None else keys.wake(),
                    "jobs": lambda _: jobs.wake(),
                    "re-embedding": lambda _: re_embedder.wake(),
                }
            )
        return cls(
            inboxes=inboxes,
            remembering=Remembering(inboxes, store_images=settings.store_images),
            thumbnails=thumbnails,
            re_embedder=re_embedder,
            jobs=jobs,
            settings=settings,
            backbone=backbone,
            registry=registry,
            store=store,
            embedder=embedder,
            texts=texts,
            prompts=prompts,
            answering=answering,
            tuner=BackgroundTuner(registry.tunings, registry.tune, settings.tuning_share),
            engine=engine,
            housekeeping=Housekeeping(engine, settings.history_days, thumbnails.sweep),
            scrubber=Scrubber(
                engine,
                contents,
                Mending(engine, contents, embedder.encoder_if_any, settings),
                settings.check_hours,
                None if in_use is None else in_use.lost,
            ),
            contents=contents,
            sweeper=contents.sweeper(timedelta(hours=settings.images_grace_hours)),
            keys=keys,
            bookkeeping=(None if keys is None else Bookkeeping(engine, keys, settings.audit_days)),
            lock=lock,
            in_use=in_use,
            notifications=notifications,
            following=following,
            meters=meters,
            checking=BackgroundCheck.if_needed(settings, backbone.model_fingerprint),
            fetcher=fetcher_of(settings.fetch_from, settings.max_image_bytes),
        )

    def recording(self, recorders: Iterable[Recorder]) -> ServiceParts:
        """These parts, with recorders of the changes that are made through them."""
        given = tuple(recorders)
        return replace(
            self, store=self.store.recording(given), registry=self.registry.recording(given)
        )

    def close(self) -> None:
        """Stop the threads and let go of the database."""
        if self.notifications is not None:
            self.notifications.close()
        if self.following is not None:
            self.following.close()
        self.housekeeping.close()
        self.scrubber.close()
        self.sweeper.close()
        self.re_embedder.close()
        self.embedder.close()
        self.texts.close()
        self.answering.close()
        self.remembering.close()
        self.tuner.close()
        if self.checking is not None:
            self.checking.close()
        if self.bookkeeping is not None:
            self.bookkeeping.close()
        if self.keys is not None:
            self.keys.close()
        self.store.close()
        if self.meters is not None:
            self.meters.close()
        self.contents.close()
        if self.in_use is not None:
            self.in_use.forget()
        self.engine.dispose()
        if self.lock is not None:
            self.lock.release()
