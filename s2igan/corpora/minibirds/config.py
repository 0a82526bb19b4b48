"""Parameters of the drawn corpus."""

from typing import Literal

from pydantic import Field

from s2igan.engine.section import Section


class MinibirdsConfig(Section):
    """How much of MiniBirds is drawn; the seed and the validation classes are the corpus's own."""

    language: Literal["english", "indonesian"] = Field(
        description="what the captions are written in; take voices of the same language"
    )
    species: int = Field(
        ge=0, description="species used, of those in the manifest; 0 takes them all"
    )
    drawings_per_train_species: int = Field(ge=2, description="drawings of a training species")
    drawings_per_val_species: int = Field(ge=2, description="drawings of a validation species")
    drawings_per_test_species: int = Field(ge=2, description="drawings of a test species")
    reference_drawings: int = Field(
        ge=2, description="undescribed drawings of test species that fidelity is measured against"
    )
    swap_descriptions: int = Field(
        ge=0, description="test captions spoken again with one colour word changed"
    )
