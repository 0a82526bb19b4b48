import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torchaudio.pipelines import TACOTRON2_WAVERNN_CHAR_LJSPEECH

from s2igan.errors import UserError
from s2igan.speech.normalisation import ALPHABET, normalise, speakable

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_the_alphabet_is_the_one_that_the_published_weights_read() -> None:
    processor = TACOTRON2_WAVERNN_CHAR_LJSPEECH.get_text_processor()
    assert tuple(ALPHABET) == tuple(processor.tokens)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # numbers
        ("12 birds", "twelve birds."),
        ("1,234 petals", "one thousand, two hundred and thirty-four petals."),
        ("the 1st, 22nd and 103rd", "the first, twenty-second and one hundred and third."),
        ("3.5 and .5 and 007", "three point five and zero point five and seven."),
        ("in 1999", "in one thousand, nine hundred and ninety-nine."),
        ("-5 or 3-4", "minus five or three to four."),
        ("a 2-toned bird", "a two-toned bird."),
        ("½, 3½ or 5/8", "one half, three and one half or five over eight."),
        ("1/2cm, ½cm, size1/2", "one half centimeters, one half centimeters, size one half."),
        ("a ½-inch bill, 1 3/4 in.", "a one half-inch bill, one and three quarters inches."),
        ("1/3rd, 2/3rds, 7/22nds", "one third, two thirds, seven over twenty-two."),
        ("(2 wings)", "(two wings)."),
        # marks that a sentence may end with
        ("a bird; two wings:", "a bird; two wings:"),
        ("a bird;", "a bird;"),
        ("- a bird -", "a bird."),
        # abbreviations
        ("Mr. and Mrs. Smith, Dr. Jones", "mister and missus smith, doctor jones."),
        ("St. Lucia's bird", "saint lucia's bird."),
        ("approx. 20mm, i.e. 2 cm.", "approximately twenty millimeters, that is two centimeters."),
        ("3 in. long, 5 ft tall", "three inches long, five feet tall."),
        ("in. the wild", "in. the wild."),
        ("red, blue, etc.", "red, blue, et cetera."),
        ("w/ a bill w/o stripes", "with a bill without stripes."),
        # symbols
        ("red & 50% blue", "red and fifty percent blue."),
        ("a+b=c", "a plus b equals c."),
        ("white/yellow @home", "white slash yellow at home."),
        ("#7 is * 90° off", "number seven is ninety degrees off."),
        ('the “red” "bird" – it’s', "the red bird - it's."),
        # letters
        ("Café naïve ﬂower Ærø ﬁn", "cafe naive flower aero fin."),
        ("a  bird\t with\n wings ,", "a bird with wings."),
        ("is it red?", "is it red?"),
        ("a bird 鳥", "a bird."),
    ],
)
def test_known_texts(text: str, said: str) -> None:
    assert normalise(text) == said


def test_a_number_beyond_all_names_is_read_digit_by_digit() -> None:
    digits = " ".join(["nine"] * 400)
    assert normalise("9" * 400) == f"{digits}."
    assert normalise("9" * 400 + "th") == f"{digits}."


@given(
    st.text(st.characters(exclude_categories=["Cs"])) | st.text("09 .,-/°½%st'w\"(Mr", max_size=12)
)
@settings(UNHURRIED, max_examples=300)
def test_only_the_alphabet_is_left_whatever_was_written(text: str) -> None:
    said = normalise(text)
    assert set(said) <= set(ALPHABET[1:])
    assert "  " not in said
    assert said == said.strip()
    assert not said or any(letter.isalpha() for letter in said)


@given(st.text("abcdefghijklmnop", min_size=1, max_size=12))
@settings(UNHURRIED)
def test_plain_words_stay_as_they_are(word: str) -> None:
    assert normalise(f"the {word}q.") == f"the {word}q."


@pytest.mark.parametrize("text", ["", "...", "鳥", "*_*", "“”"])
def test_a_text_of_which_nothing_can_be_said_names_its_utterance(text: str) -> None:
    assert normalise(text) == ""
    with pytest.raises(UserError, match=r"text of utterance 7; .*Tacotron2 can say nothing"):
        speakable(text, "utterance 7")
