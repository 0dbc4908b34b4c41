"""What the tests of the documents share: their code blocks and links."""

import re

from helpers import ROOT


class Document:
    """A Markdown file of the repository.

    Attributes:
        text (str): All of it.
        commands (list[str]): The lines of its ``bash`` blocks.
        python (list[str]): Its ``python`` blocks.
    """

    def __init__(self, name):
        self.path = ROOT / name
        self.text = self.path.read_text()
        blocks = re.findall(r'```(\w+)\n(.*?)```', self.text, re.S)
        self.commands = [
            line.split('  #')[0].strip()
            for kind, block in blocks
            if kind == 'bash'
            for line in block.splitlines()
            if line.strip()
        ]
        self.python = [block for kind, block in blocks if kind == 'python']

    def broken_links(self):
        """Links to files that are not there."""
        links = re.findall(r'\]\(([^)#]+)', self.text)
        assert links
        return [
            link for link in links if '://' not in link and not (self.path.parent / link).exists()
        ]
