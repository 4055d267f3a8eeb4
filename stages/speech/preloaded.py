"""The recogniser of words with its models, loaded once by the server that workers fork from."""

from stages.speech.phones import word_decoder

word_decoder()
