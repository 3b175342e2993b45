"""Project settings: https://docs.kedro.org/en/stable/kedro_project_setup/settings.html"""

import warnings

from borderline.config_loader import ConfigLoader
from borderline.context import BorderlineContext
from borderline.hooks.closing import GateHooks, SummaryHooks
from borderline.hooks.lock import LockHooks
from borderline.hooks.memory import MemoryHooks
from borderline.hooks.preflight import PreflightHooks
from borderline.hooks.progress import ProgressHooks
from borderline.hooks.threads import ThreadHooks
from borderline.hooks.tracking import TrackingHooks
from borderline.names import name_of_pair
from borderline.plain_text import keep_log_plain

# A node that gathers all generators of a model names their datasets with their namespace.
warnings.filterwarnings("ignore", message="One or more dataset names contain '.'")

keep_log_plain()

CONTEXT_CLASS = BorderlineContext
HOOKS = (
    LockHooks(),
    PreflightHooks(),
    ThreadHooks(),
    ProgressHooks(),
    MemoryHooks(),
    SummaryHooks(),
    TrackingHooks(),
    GateHooks(),
)
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft"},
    "custom_resolvers": {"pair": name_of_pair},
}
