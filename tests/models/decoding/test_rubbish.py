"""Words about the request instead of what was asked for."""

import pytest

from keyturn.models.decoding.rubbish import rubbish
from keyturn.models.decoding.sentences import said_once
from keyturn.models.decoding.trim import trim

NEVER = """
I'm sorry, but I can't assist with that.
I am sorry, I cannot help you with this request.
I’m really sorry, but I can’t do that.
Sorry, but I can't generate that code.
I apologize for the confusion.
My apologies, here is the code:
I cannot assist with that request.
I can't help with that.
I am unable to provide the code.
As an AI language model, I do not have feelings.
As a language model, I cannot open files.
# As an AI, I would write:
I'm an AI and cannot do this.
Here is the code:
Here's an example of how to do it:
Here are some suggestions:
// Here is the implementation of the function
# Here's how you can do it
Sure! The function looks like this:
Certainly! Here you go.
Of course, here is the rest:
Absolutely! Let us begin.
I hope this helps!
```python
    ```
~~~
# Your code here
// your code goes here
/* Your implementation here */
-- Add your code here
# Add your processing logic here
# Add your logic here
    # Write your code here...
<!-- Your content here -->
{/* Add your content here */}
Your code here
# Implement the logic here
# Insert code here
# TODO: implement this function
// TODO implement
# TODO: Add your own tests
# ... rest of the code
// ... existing code ...
# The rest of your code
# Replace with your own key
# process the file here
# ...
// …
""".strip("\n").splitlines()

FINE = """
# The values here are sorted.
// Add a listener to the button
I am sorry for the late reply and hope that you are well.
Of course, we will pay for the damage.
hereis = "the code"
x = 'Your code here'
echo "I'm sorry, Dave"
# TODO: this is slow for long lists
# Here we go through all files once.
return your_code_here
<p>The content of this page is free.</p>
data = load("here")
# implements the protocol
replace(with_your=1)
x = [...]  # more of them below
place(text, here)
""".strip("\n").splitlines()


@pytest.mark.parametrize("text", NEVER)
def test_words_about_the_request_are_never_suggested(text: str) -> None:
    assert text[: rubbish(text, "")].strip() == ""
    assert trim(text, "", "") == ""


@pytest.mark.parametrize("text", FINE)
def test_what_only_looks_like_them_is(text: str) -> None:
    assert trim(text, "", "") == text


def test_what_stands_above_such_words_is_kept() -> None:
    assert trim("a()\n# Your code here\nb()", "", "") == "a()"
    assert trim("a()  # Your code here\nb()", "", "") == "a()"
    assert trim("a()  # Your code here\nb(", "", "", cut_short=True) == "a()"


def test_a_file_that_speaks_so_itself_may_go_on() -> None:
    assert trim("# Your code here", "# Your code here\ndef f():\n    pass\n", "") != ""
    assert trim("```sh\nmake\n```", "```sh\nls\n```\n", "") != ""


def test_code_fences_are_part_of_markdown() -> None:
    assert trim("```sh\nmake\n```", "# Demo\n", "", language="markdown") == "```sh\nmake\n```"


@pytest.mark.parametrize("mark", "#/-*;%<=~.")
@pytest.mark.parametrize("line", ["{}", "{} ", " {}", "{}\n"])
def test_a_long_ruler_is_read_in_one_go(mark: str, line: str) -> None:
    """Of nested repetitions, forty characters would take for ever."""
    text = line.format(mark) * 4_000
    assert rubbish(text, text) == len(text)
    assert said_once(text, text) == len(text)


@pytest.mark.parametrize("text", ["I'm sorry, no such file\")", 'Here is the list of files")'])
def test_what_code_says_to_its_user_is_a_suggestion(text: str) -> None:
    assert trim(text, 'print("', "\n") == text
    assert trim(text, "# ", "\n") == ""
