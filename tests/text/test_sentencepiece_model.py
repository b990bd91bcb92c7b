"""A SentencePiece model file as a protobuf message: says what SentencePiece says of it, and keeps the rest."""

import sentencepiece

from nmt.text.sentencepiece_model import Model


def test_pieces_scores_and_kinds_are_those_that_sentencepiece_reads(tokenizers):
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizers.source.model)
    pieces = Model.FromString(tokenizers.source.model).pieces
    assert len(pieces) == processor.get_piece_size()
    for number, piece in enumerate(pieces):
        assert (piece.piece, piece.score) == (processor.id_to_piece(number), processor.get_score(number))
        assert (piece.type == 2) == processor.is_unknown(number)
        assert (piece.type == 3) == processor.is_control(number)


def test_fields_that_are_not_described_are_written_back(tokenizers):
    model = tokenizers.target.model
    written = Model.FromString(model).SerializeToString()
    assert sorted(written) == sorted(model)  # bytes: such fields come last
    assert Model.FromString(written).SerializeToString() == written
