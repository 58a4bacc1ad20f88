"""A Hydra sweeper that searches with Optuna and goes on where it was killed.

Hydra accepts sweepers from the package ``hydra_plugins`` only. Its own hydra-optuna-sweeper wants Optuna 2 and
forgets, without a database server, what was finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig

from projhead.persistence.files import write_json


class OptunaSweeper(Sweeper):
    """Try settings that Optuna's TPE proposes (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011).

    Every trial is written to ``study.jsonl`` in the sweep's folder before it runs and when it ends. Started again
    there, the sweep runs a trial that was cut off in its own folder, where training goes on from its checkpoint, and
    proposes for the rest what it would have proposed; finished trials are not run again. One process at a time.

    Parameters
    ----------
    n_trials : int
        How many in all; may be raised later.
    direction : str
        ``"maximize"`` or ``"minimize"`` what the command returns.
    seed : int
        Same seed, same proposals.
    params : mapping of str to str
        What is searched, in Hydra's own words: ``interval(0.01, 0.1)``, ``tag(log, interval(1e-4, 1e-2))``,
        ``int(interval(1, 9))``, ``range(1, 9)``, ``choice(a, b)``. The command line may add to it or replace.
    """

    def __init__(
        self, n_trials: int, direction: Literal["maximize", "minimize"], seed: int, params: Mapping[str, str] | None
    ) -> None:
        self.n_trials, self.direction, self.seed, self.params = n_trials, direction, seed, params

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Take what Hydra gives every sweeper."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> float:
        """Run trials until there are enough; return the best value.

        Raises
        ------
        HydraException
            If nothing is searched, Optuna is not installed, or the folder holds a sweep with other settings.
        """
        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        parsed = parser.parse_overrides([*(f"{key}={value}" for key, value in (self.params or {}).items()), *arguments])
        overrides = {override.get_key_element(): override for override in parsed}  # the last of a name counts
        searched = {key: one for key, one in overrides.items() if one.is_sweep_override()}
        fixed = [f"{key}={one.get_value_element_as_str()}" for key, one in overrides.items() if key not in searched]
        folder = Path(self.config.hydra.sweep.dir)
        # Where things are written changes nothing in what comes out.
        deciding = [word for word in fixed if not word.startswith(("run_dir=", "hydra.", "hydra/", "paths."))]
        study = self._study(
            folder, {"searched": sorted(one.input_line for one in searched.values()), "fixed": deciding}
        )
        for number, params in self._trials(study, {key: _distribution(one) for key, one in searched.items()}):
            words = [*fixed, *(f"{key}={value}" for key, value in params.items())]
            self.validate_batch_is_legal([words])
            (job,) = self.launcher.launch([words], initial_job_idx=number)
            study.tell(number, job.return_value)
        best = study.best_trial
        write_json(folder / "best.json", {"trial": best.number, "value": best.value, "settings": best.params})
        settings = " ".join(f"{key}={value}" for key, value in best.params.items())
        print(f"\nbest of {len(study.trials)} trials: {best.value:.4f}, {folder / str(best.number)}\n{settings}")
        return float(best.value)

    def _study(self, folder: Path, settings: dict[str, Any]) -> Any:
        """Open the folder's study, or begin one."""
        try:
            import optuna
            from optuna.storages.journal import JournalFileBackend
        except ImportError as error:
            raise HydraException("sweep=optuna needs the package optuna: pip install 'projhead[sweep]'") from error
        if not settings["searched"]:
            raise HydraException("expected settings to search, such as optimizer.lr=interval(1e-4,1e-2), got none")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "study.jsonl")))
        study = optuna.create_study(
            storage=storage, study_name="projhead", direction=self.direction, load_if_exists=True
        )
        known = study.user_attrs.get("settings", settings)
        if known != settings:
            raise HydraException(
                f"{folder} holds a sweep with other settings: {known}, now {settings}; "
                "give the same to go on with it, or another run_dir"
            )
        study.set_user_attr("settings", settings)
        return study

    def _trials(self, study: Any, space: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the number and settings of what was cut off, then of new trials."""
        import optuna

        for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            if set(trial.params) == set(space):
                yield trial.number, trial.params
            else:  # cut off while its settings were being written
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        while (number := len(study.trials)) < self.n_trials:
            # A sampler of its own for each: what it proposes depends on seed, number and finished trials alone.
            study.sampler = optuna.samplers.TPESampler(seed=self.seed + number)
            trial = study.ask(space)
            yield trial.number, trial.params


def _distribution(override: Override) -> Any:
    """Return what Optuna draws from for a sweep in Hydra's words."""
    import optuna

    ints, floats = optuna.distributions.IntDistribution, optuna.distributions.FloatDistribution
    sweep: Any = override.value()
    if isinstance(sweep, IntervalSweep):
        kind: Any = ints if isinstance(sweep.start, int) else floats
        return kind(sweep.start, sweep.end, log="log" in sweep.tags)
    if override.is_range_sweep():
        values: list[Any] = list(override.sweep_iterator())
        kind = ints if isinstance(values[0], int) else floats
        return kind(values[0], values[-1], step=values[1] - values[0] if len(values) > 1 else 1)
    return optuna.distributions.CategoricalDistribution(list(override.sweep_string_iterator()))


ConfigStore.instance().store(
    name="optuna",
    group="hydra/sweeper",
    provider="projhead",
    node={
        "_target_": "hydra_plugins.projhead_optuna.OptunaSweeper",
        "n_trials": 20,
        "direction": "maximize",  # what the verb returns; train: overlap of the 10 nearest on held-out vectors
        "seed": 0,
        "params": {},  # what is searched
    },
)
