"""CDISC ODM 1.3.2: valid by CDISC's own schema, every reference leads somewhere, and every value comes back."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from odmlib import schema_manager
from odmlib.loader import ODMLoader
from odmlib.odm_loader import XMLODMLoader
from odmlib.oid_generator import create_oid_checker

from study.export import export
from study.export.odm import NAMESPACE, _quoted, _text
from study.study import Study
from tests.exporting import csv_values, make_trial

ODM = f"{{{NAMESPACE}}}"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_trial(tmp_path_factory.mktemp("odm") / "study")


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    """CDISC's XML Schema of ODM 1.3.2, as odmlib brings it along."""
    return xmlschema.XMLSchema(schema_manager.get_schema_path("odm", "1.3.2"))


VARIANTS = {"whole": {}, "blinded": {"role": "analyst"}, "deidentified": {"deidentified": True}}


@pytest.fixture(scope="module", params=list(VARIANTS))
def out(request: pytest.FixtureRequest, trial: Study) -> Path:
    folder = trial.folder.parent / request.param
    export(trial, folder, formats=["odm", "csv"], **VARIANTS[request.param])
    return folder


def parsed(out: Path) -> ElementTree.ElementTree:
    return ElementTree.parse(out / "odm" / "odm.xml")  # noqa: S314 - written by the test


def test_the_file_is_valid_by_cdiscs_schema(out: Path, schema: xmlschema.XMLSchema) -> None:
    schema.validate(out / "odm" / "odm.xml")


def test_the_schema_finds_a_mistake(out: Path, schema: xmlschema.XMLSchema, tmp_path: Path) -> None:
    """So that the test above can fail."""
    text = (out / "odm" / "odm.xml").read_text()
    for wrong in (
        text.replace("<SubjectData SubjectKey", "<SubjectData Key", 1),
        text.replace('Type="Scheduled"', 'Type="Daily"', 1),
        text.replace("<Protocol>", "<Plan>").replace("</Protocol>", "</Plan>"),
    ):
        assert wrong != text
        (tmp_path / "wrong.xml").write_text(wrong)
        assert not schema.is_valid(tmp_path / "wrong.xml")


def test_every_reference_leads_to_a_definition_that_fits(out: Path) -> None:
    tree = parsed(out)
    defined = {
        kind: {element.get("OID"): element for element in tree.iter(f"{ODM}{kind}Def")}
        for kind in ("StudyEvent", "Form", "ItemGroup", "Item")
    }
    defined["CodeList"] = {element.get("OID"): element for element in tree.iter(f"{ODM}CodeList")}
    for kind, known in defined.items():
        for tag in (f"{kind}Ref", f"{kind}Data"):
            for element in tree.iter(f"{ODM}{tag}"):
                assert element.get(f"{kind}OID") in known, (tag, element.attrib)
    # Each level holds only what its definition refers to.
    for outer, inner in (("StudyEvent", "Form"), ("Form", "ItemGroup"), ("ItemGroup", "Item")):
        for element in tree.iter(f"{ODM}{outer}Data"):
            definition = defined[outer][element.get(f"{outer}OID")]
            allowed = {one.get(f"{inner}OID") for one in definition.iter(f"{ODM}{inner}Ref")}
            used = {one.get(f"{inner}OID") for one in element.findall(f"{ODM}{inner}Data")}
            assert used <= allowed, (element.attrib, used - allowed)
    oids = [element.get("OID") for element in tree.iter() if element.get("OID")]
    assert len(set(oids)) == len(oids)


def test_values_with_a_list_of_codes_are_in_it_and_those_with_bounds_within_them(out: Path) -> None:
    tree = parsed(out)
    codes = {one.get("OID"): {item.get("CodedValue") for item in one} for one in tree.iter(f"{ODM}CodeList")}
    of_item = {
        one.get("OID"): ref.get("CodeListOID")
        for one in tree.iter(f"{ODM}ItemDef")
        for ref in one.findall(f"{ODM}CodeListRef")
    }
    bounds = {
        one.get("OID"): [float(value.text or "") for value in one.iter(f"{ODM}CheckValue")]
        for one in tree.iter(f"{ODM}ItemDef")
    }
    listed = bounded = 0
    for data in tree.iter(f"{ODM}ItemData"):
        value, oid = data.get("Value"), data.get("ItemOID")
        if value is not None and of_item.get(oid):
            assert value in codes[of_item[oid]]
            listed += 1
        if value is not None and bounds[oid]:
            low, high = bounds[oid]
            assert low <= float(value) <= high
            bounded += 1
    assert listed > 100
    assert bounded > 100


def test_odmlib_reads_the_file_and_finds_no_loose_reference(out: Path) -> None:
    loader = ODMLoader(XMLODMLoader(model_package="odm_1_3_2", ns_uri=NAMESPACE))
    loader.open_odm_document(str(out / "odm" / "odm.xml"))
    assert loader.MetaDataVersion().verify_oids(create_oid_checker("odm_1_3_2"))
    [clinical] = loader.load_odm().ClinicalData
    assert len(clinical.SubjectData) == 7  # six participants, and one who was too young


def test_every_value_of_the_long_table_comes_back_from_the_file(out: Path) -> None:
    tree = parsed(out)
    arms, found = {}, {}
    for subject in tree.iter(f"{ODM}SubjectData"):
        for event in subject.findall(f"{ODM}StudyEventData"):
            day = event.get("StudyEventRepeatKey") if event.get("StudyEventOID") == "SE.day" else None
            for form in event.findall(f"{ODM}FormData"):
                measure = form.get("FormOID", "").removeprefix("F.")
                for item in form.iter(f"{ODM}ItemData"):
                    name = item.get("ItemOID", "").removeprefix(f"I.{measure}.")
                    value = None if item.get("IsNull") == "Yes" else item.get("Value")
                    if (measure, name) == ("participant", "arm"):
                        arms[subject.get("SubjectKey")] = value
                    elif form.get("FormRepeatKey") is not None and not name.startswith("I.form."):
                        key = (subject.get("SubjectKey"), day, form.get("FormRepeatKey"), measure, name)
                        assert key not in found
                        found[key] = None if value is None else float(value)
    rows = csv_values(out / "long.csv")
    assert found == {
        (
            row["participant"],
            row["day"],
            row["occasion"],
            row["measure"],
            f"score.{row['name']}" if row["kind"] == "score" else row["name"],
        ): None if row["value"] is None else float(row["value"])
        for row in rows
    }
    assert None in found.values()  # an item that was left out
    assert arms == {row["participant"]: row["arm"] for row in rows if row["arm"]}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_stand_in_the_file(text: str) -> None:
    element = ElementTree.fromstring(f"<a b={_quoted(text)}>{_text(text)}</a>")  # noqa: S314 - written here
    legal = "".join(c if c in "\t\n\r" or (ord(c) >= 32 and ord(c) not in (0xFFFE, 0xFFFF)) else "\ufffd" for c in text)
    assert element.get("b") == legal
    assert (element.text or "") == legal.replace("\r\n", "\n").replace("\r", "\n")  # as XML has it between tags
